/** Bytes on a TCP socket, for requests that no HTTP client would send. */
import { connect } from 'node:net';
import type { Answer } from './contract-check.ts';

export interface RawOptions {
  /** Sends FIN behind the bytes. */
  readonly end?: boolean;
  /** Reads nothing before all has been sent. */
  readonly readsLate?: boolean;
  /** Leaves with the first bytes that come, instead of waiting for the end of the connection. */
  readonly leavesEarly?: boolean;
  /** Milliseconds until the connection is given up. */
  readonly withinMs?: number;
}

/** Sends `bytes` and resolves with everything received when the daemon closes the connection. */
export function exchange(
  url: string,
  bytes: string | Buffer,
  options: RawOptions = {},
): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let received = '';
    socket.setEncoding('latin1');
    socket.setTimeout(options.withinMs ?? 10_000, () => {
      socket.destroy();
      reject(new Error(`the connection stayed open; received: ${received.slice(0, 500)}`));
    });
    socket.on('connect', () => {
      if (options.readsLate === true) socket.pause();
      if (options.end === true) socket.end(bytes);
      else socket.write(bytes, () => socket.resume());
    });
    socket.on('data', (text) => {
      received += String(text);
      if (options.leavesEarly === true) socket.destroy();
    });
    // The daemon may reset a connection that it has answered; what was received counts.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(received));
  });
}

/** The first HTTP/1.1 answer in a text. @throws Error when there is none */
export function parseAnswer(text: string): Answer {
  const split = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, split).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
  if (split === -1 || Number.isNaN(status))
    throw new Error(`not an HTTP answer: ${text.slice(0, 200)}`);
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const rest = text.slice(split + 4);
  const bytes = headers['transfer-encoding'] === 'chunked' ? unchunked(rest) : rest;
  const body = Buffer.from(bytes, 'latin1').toString('utf8');
  return { status, headers, text: body, body: body === '' ? undefined : jsonOr(body) };
}

/** The content of a chunked body (RFC 9112, section 7.1). */
function unchunked(text: string): string {
  let content = '';
  let at = 0;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = lineEnd === -1 ? 0 : Number.parseInt(text.slice(at, lineEnd), 16);
    if (!(size > 0)) return content;
    content += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
