/** The listening socket: limits and timeouts, and an envelope even for what is not HTTP. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { OrchError } from '@llama-orch/contracts';
import type { Express } from 'express';
import { connectionLimit, openFilesLimit } from './connection-limit.ts';
import { correlationId } from './correlation.ts';
import { toEnvelope } from './errors.ts';

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly headerTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** Bytes of request line and headers. */
const MAX_HEADER_BYTES = 16_384;

export interface HttpServer {
  readonly url: string;
  /** Stops accepting; open responses may end by themselves for `graceMs`, the rest is cut off. */
  close(graceMs: number): Promise<void>;
}

/** @throws Error when the address cannot be bound */
export async function listen(app: Express, options: ServerOptions): Promise<HttpServer> {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: options.headerTimeoutMs,
      requestTimeout: Math.max(options.headerTimeoutMs, 30_000),
      keepAliveTimeout: options.idleTimeoutMs,
      connectionsCheckingInterval: 1000,
      noDelay: true,
      // A missing Host is answered by the application, with the envelope.
      requireHostHeader: false,
    },
    app,
  );
  // One more is closed as soon as it is made.
  server.maxConnections = connectionLimit(openFilesLimit());
  server.on('clientError', answerClientError);
  server.on('checkExpectation', refuseExpectation);
  // The application says when a body may come; Node would before it was asked.
  server.on('checkContinue', (req, res) => void server.emit('request', req, res));
  const responses = new OpenResponses(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${host}:${address.port}`,
    close: async (graceMs) => {
      server.close();
      server.closeIdleConnections();
      await responses.over(graceMs);
      server.closeAllConnections();
    },
  };
}

/** Counts the responses that have begun and not ended. */
class OpenResponses {
  #open = 0;
  #whenOver: (() => void) | undefined;

  constructor(server: Server) {
    server.on('request', (_req, res: ServerResponse) => {
      this.#open += 1;
      res.on('close', () => {
        this.#open -= 1;
        if (this.#open === 0) this.#whenOver?.();
      });
    });
  }

  /** Resolves when none is open, or after `graceMs`. */
  async over(graceMs: number): Promise<void> {
    if (this.#open === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#whenOver = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** An `Expect` that is not `100-continue` (RFC 9110, 10.1.1). */
function refuseExpectation(_req: IncomingMessage, res: ServerResponse): void {
  const message = 'only 100-continue can be expected';
  const fault = new OrchError('INVALID_PARAMS', message, {
    status: 417,
    details: [{ path: 'Expect', message }],
  });
  res.writeHead(fault.status, {
    'content-type': 'application/json; charset=utf-8',
    'x-correlation-id': correlationId(undefined),
    connection: 'close',
  });
  res.end(JSON.stringify(toEnvelope(fault)));
}

interface ClientError extends Error {
  readonly code?: string;
}

/** What could not be parsed as HTTP never reaches Express; it gets the envelope all the same. */
function answerClientError(error: ClientError, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const [status, phrase, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [
          431,
          'Request Header Fields Too Large',
          `headers are larger than ${MAX_HEADER_BYTES} bytes`,
        ]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout', 'the request did not arrive in time']
        : [400, 'Bad Request', 'this is not an HTTP request'];
  const body = JSON.stringify(toEnvelope(new OrchError('INVALID_PARAMS', String(message))));
  socket.end(
    [
      `HTTP/1.1 ${status} ${phrase}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Correlation-Id: ${correlationId(undefined)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}
