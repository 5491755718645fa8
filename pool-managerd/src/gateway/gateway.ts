/**
 * The gateway of a host: the one way to its engines from outside (OC-POOL-3120). It relays HTTP for
 * whoever shows the live lease of a replica, and cuts off everything under a lease when that ends: that
 * is the fence.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OrchError } from '@llama-orch/contracts';
import { Pool } from 'undici';
import type { Clock } from '../ports.ts';
import { Exchange } from './exchange.ts';
import { LEASE_HEADER, REQUEST_HEADER } from './hop-headers.ts';

export interface GatewayOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Of one request body. */
  readonly bodyLimitBytes: number;
  /** The engine for whoever shows the live lease of its replica, else undefined. */
  readonly authorize: (replicaId: string, credential: string) => GatewayTarget | undefined;
}

export interface GatewayTarget {
  /** Base URL of the engine. */
  readonly url: string;
  /** Sent to it as a bearer token: its key is the host's, and no caller knows it. */
  readonly apiKey?: string | undefined;
}

/** Bytes of request line and headers. */
const MAX_HEADER_BYTES = 16_384;
/** A request must have arrived whole within this time, ms. */
const REQUEST_MS = 60_000;
const HEADER_MS = 10_000;
/** Longer than a client keeps an idle connection, so that none is closed under its next request. */
const KEEP_ALIVE_MS = 75_000;
const CONNECT_MS = 2_000;
const MAX_CONNECTIONS = 10_000;
/** Requests in flight, of all replicas together. */
const MAX_EXCHANGES = 4_096;
/** Ids of requests that were ended lately: one of them may still be on its way. */
const MAX_ENDED = 4_096;

const ROUTE = /^\/replicas\/([A-Za-z0-9._-]{1,64})(\/.*)$/;

/** The connections to one engine, and what is in flight on them. */
interface Engine {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly basePath: string;
  readonly pool: Pool;
  readonly exchanges: Set<Exchange>;
}

export class Gateway implements AsyncDisposable {
  readonly #options: GatewayOptions;
  readonly #server: Server;
  readonly #engines = new Map<string, Engine>();
  readonly #ended = new Set<string>();
  #exchanges = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEADER_MS,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        noDelay: true,
      },
      (req, res) => this.#serve(req, res),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Requests in flight. */
  get exchanges(): number {
    return this.#exchanges;
  }

  /** Base address, as bound. Call after `listen`. */
  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** @throws Error when the address cannot be bound */
  async listen(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** Ends everything that runs on a replica, on both sides, at once: its lease is over. */
  cut(replicaId: string): void {
    const engine = this.#engines.get(replicaId);
    if (engine === undefined) return;
    this.#engines.delete(replicaId);
    for (const exchange of [...engine.exchanges]) exchange.cut();
    // Nothing is in flight on them any more: what is left are idle connections.
    void engine.pool.destroy();
  }

  /** Ends what runs under a request id, now or when it arrives (OC-POOL-3124). */
  end(requestId: string): void {
    this.#ended.add(requestId);
    const [oldest] = this.#ended;
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
    for (const { exchanges } of this.#engines.values()) {
      for (const exchange of [...exchanges]) if (exchange.requestId === requestId) exchange.cut();
    }
  }

  /** Resolves when nothing is in flight, or after `ms`. */
  async untilIdle(ms: number, clock: Clock): Promise<void> {
    if (this.#exchanges === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.setTimer(ms, resolve);
      this.#onIdle = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Ends everything and stops listening. Safe to call twice. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const replicaId of [...this.#engines.keys()]) this.cut(replicaId);
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #serve(req: IncomingMessage, res: ServerResponse): void {
    try {
      const [, replicaId = '', path = ''] = ROUTE.exec(req.url ?? '') ?? [];
      const engine = this.#admit(req, replicaId);
      this.#exchanges += 1;
      const exchange = new Exchange({
        req,
        res,
        path: engine.basePath + path,
        apiKey: engine.apiKey,
        requestId: headerOf(req, REQUEST_HEADER),
        onOver: (over) => {
          this.#exchanges -= 1;
          engine.exchanges.delete(over);
          if (this.#exchanges === 0) this.#onIdle?.();
        },
      });
      engine.exchanges.add(exchange);
      exchange.start(engine.pool);
    } catch (error) {
      refuse(res, error);
    }
  }

  /** @throws OrchError */
  #admit(req: IncomingMessage, replicaId: string): Engine {
    if (replicaId === '') throw new OrchError('NOT_FOUND', 'there are only /replicas/REPLICA_ID/…');
    const credential = headerOf(req, LEASE_HEADER);
    const target =
      credential === undefined ? undefined : this.#options.authorize(replicaId, credential);
    const requestId = headerOf(req, REQUEST_HEADER);
    if (target === undefined || (requestId !== undefined && this.#ended.has(requestId))) {
      const message = `this is not under the live lease of replica ${replicaId}`;
      throw new OrchError('CONFLICT', message, { retriable: true });
    }
    requireBoundedBody(req, this.#options.bodyLimitBytes);
    if (this.#exchanges >= MAX_EXCHANGES) {
      throw new OrchError('REPLICA_EXHAUSTED', `${MAX_EXCHANGES} requests are in flight`);
    }
    return this.#engine(replicaId, target);
  }

  #engine(replicaId: string, { url, apiKey }: GatewayTarget): Engine {
    const known = this.#engines.get(replicaId);
    if (known?.url === url) return known;
    this.cut(replicaId);
    const { origin, pathname } = new URL(url);
    const engine: Engine = {
      url,
      apiKey,
      basePath: pathname.replace(/\/$/, ''),
      pool: new Pool(origin, { connections: null, pipelining: 1, connectTimeout: CONNECT_MS }),
      exchanges: new Set(),
    };
    this.#engines.set(replicaId, engine);
    return engine;
  }
}

function headerOf(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** @throws OrchError for a body that is too large, or does not say how large it is */
function requireBoundedBody({ headers }: IncomingMessage, limit: number): void {
  if (headers['transfer-encoding'] !== undefined) {
    const message = 'a body needs a content-length';
    throw new OrchError('INVALID_PARAMS', message, { status: 411 });
  }
  if (Number(headers['content-length'] ?? 0) > limit) {
    throw new OrchError('PAYLOAD_TOO_LARGE', `the body is larger than ${limit} bytes`);
  }
}

/** The body may not have been read: the connection ends with the answer. */
function refuse(res: ServerResponse, error: unknown): void {
  const fault =
    error instanceof OrchError
      ? error
      : new OrchError('INTERNAL', 'unexpected failure', { cause: error });
  const { kind: code, message, retriable, status } = fault;
  const body = JSON.stringify({ code, message, retriable });
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', connection: 'close' });
  res.end(body);
}
