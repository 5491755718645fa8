import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** An answer other than 200, in the words of the protocol. */
export class SimHttpError extends Error {
  readonly status: number;
  /** Sent as JSON, a string as plain text. */
  readonly body: object | string;
  /** Besides the type of the body. */
  readonly headers: OutgoingHttpHeaders;

  constructor(status: number, body: object | string, headers: OutgoingHttpHeaders = {}) {
    super(`HTTP ${status}`);
    this.status = status;
    this.body = body;
    this.headers = { ...headers };
  }

  send(res: ServerResponse): void {
    const isText = typeof this.body === 'string';
    const type = isText ? 'text/plain; charset=utf-8' : JSON_TYPE;
    res.writeHead(this.status, { 'content-type': type, ...this.headers });
    res.end(isText ? this.body : JSON.stringify(this.body));
  }
}

const JSON_TYPE = 'application/json; charset=utf-8';

export function sendJson(res: ServerResponse, value: object): void {
  res.setHeader('content-type', JSON_TYPE);
  res.end(JSON.stringify(value));
}

export function sendText(res: ServerResponse, text: string): void {
  res.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
  res.end(text);
}

export async function readText(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

export type JsonBody = Readonly<Record<string, unknown>>;

/** The body as an object; undefined when it is none. */
export function parseObject(text: string): JsonBody | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as JsonBody) : undefined;
  } catch {
    return undefined;
  }
}
