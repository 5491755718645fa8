import type { IncomingMessage, ServerResponse } from 'node:http';
import { invalid, parseBody, type Body } from './body-fields.ts';
import { HttpFault, toHttpFault } from './http-fault.ts';

/** A prompt of this many bytes tokenizes in well under a second on the thread that serves all. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a JSON object.
 * @throws HttpFault 413 when it is too large, 400 when it is no UTF-8, no JSON or no object.
 */
export async function readJsonBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      throw new HttpFault('payload_too_large_error', `the body exceeds ${MAX_BODY_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  let json: unknown;
  try {
    json = JSON.parse(utf8.decode(Buffer.concat(chunks)));
  } catch {
    throw invalid('the request body is not valid JSON');
  }
  return parseBody(json);
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, 'application/json; charset=utf-8', JSON.stringify(body));
}

export function send(
  response: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Readonly<Record<string, string | number>> = {},
): void {
  const body = Buffer.from(text);
  response.writeHead(status, { 'content-type': type, 'content-length': body.length, ...headers });
  response.end(body);
}

/** Answers with the error, inside the stream if one has begun. Does nothing on a closed connection. */
export function sendFault(response: ServerResponse, error: unknown): void {
  if (response.destroyed || response.writableEnded) return;
  const fault = toHttpFault(error);
  if (response.headersSent) {
    response.end(`data: ${JSON.stringify(fault.toBody())}\n\n`);
    return;
  }
  // The rest of an oversized body is not worth reading.
  if (fault.type === 'payload_too_large_error') response.setHeader('connection', 'close');
  sendJson(response, fault.status, fault.toBody());
}
