import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import { forwardedHeaders } from './hop-headers.ts';

export interface ExchangeOptions {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Path and query at the engine. */
  readonly path: string;
  /** Of the engine, where it asks for one. */
  readonly apiKey: string | undefined;
  readonly requestId: string | undefined;
  /** Called once, when neither side has anything left to do. */
  readonly onOver: (exchange: Exchange) => void;
}

/**
 * One request on its way through the gateway. Nothing is kept: a chunk goes out in the turn it came in,
 * and while its taker is full the giver's socket is not read. Whichever side breaks, the other is closed,
 * so that the engine cancels, and its caller sees a broken connection where there was one.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly requestId: string | undefined;
  readonly #options: ExchangeOptions;
  /** Kept: a request whose body was given up has forgotten its socket. */
  readonly #socket: Socket;
  #controller: Dispatcher.DispatchController | undefined;
  #over = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#socket = options.req.socket;
    this.requestId = options.requestId;
  }

  start(engine: Dispatcher): void {
    const { req, res, path, apiKey } = this.#options;
    // Emitted after the answer was sent too; then the exchange is over already.
    res.once('close', () => this.cut());
    const hasBody = Number(req.headers['content-length'] ?? 0) > 0;
    engine.dispatch(
      {
        method: req.method as Dispatcher.HttpMethod,
        path,
        headers: {
          ...forwardedHeaders(req.headers),
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        },
        body: hasBody ? req : null,
        // The caller knows how long to wait, and the lease ends what nobody waits for.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      this,
    );
  }

  /** Closes both sides at once. Safe to call twice, and when it is over. */
  cut(): void {
    if (this.#over) return;
    this.#finish();
    this.#controller?.abort(new Error('cut off at the gateway'));
    this.#socket.destroy();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Cut while connecting: there was nothing to abort until now.
    if (this.#over) controller.abort(new Error('cut off before the request was sent'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.#over || status < 200) return;
    const { res } = this.#options;
    res.writeHead(status, forwardedHeaders(headers));
    // A stream's head says that the engine has taken the request, long before its first token.
    res.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    const { res } = this.#options;
    if (res.write(chunk)) return;
    controller.pause();
    res.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    if (this.#over) return;
    this.#finish();
    this.#options.res.end();
  }

  onResponseError(): void {
    this.cut();
  }

  #finish(): void {
    this.#over = true;
    this.#options.onOver(this);
  }
}
