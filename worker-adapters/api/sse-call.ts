import type { Dispatcher } from 'undici';
import type { AnswerHeaders } from './retry-after.ts';
import { SseDecoder } from './sse-decoder.ts';
import { transportFault } from './transport-fault.ts';
import { EngineError } from './types.ts';
import type { EngineFault, EngineName, TokenLogprob, TokenSink } from './types.ts';

/** An error body longer than this says nothing more. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;

export interface SseCall<Result> {
  readonly engine: EngineName;
  readonly path: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly headersMs: number;
  readonly bodyMs: number;
  readonly maxEventBytes: number;
  readonly sink: TokenSink;
  readonly signal: AbortSignal;
  /** Whether `read` appends to `logprobs`, one element for each piece. */
  readonly logprobs: boolean;
  /**
   * Reads one event: appends its text to `pieces` and returns the result on the terminal event.
   * @throws EngineError
   */
  readonly read: (
    data: string,
    pieces: string[],
    logprobs: (readonly TokenLogprob[])[],
  ) => Result | undefined;
  /**
   * What a clean end of the answer means in a protocol without a terminal event; may append text.
   * Without it, such an end is `broken`.
   * @throws EngineError
   */
  readonly readEnd?:
    ((pieces: string[], logprobs: (readonly TokenLogprob[])[]) => Result | undefined) | undefined;
  /**
   * A result of `read` may come before the engine has ended: what it sends after it closes the
   * connection, which stops it.
   */
  readonly stopsAtResult?: boolean | undefined;
  /** Names the failure that an answer other than 200 stands for. */
  readonly refusal: (status: number, body: string, headers: AnswerHeaders) => EngineError;
  /** The engine answered, whatever the status. */
  readonly onAnswer?: () => void;
}

/**
 * Posts a request and relays the event stream that answers it. Success means that the engine's
 * terminal event was read; an end without it is `broken`. Aborting destroys the connection.
 *
 * The token path makes no promise per token: text found in one socket read reaches the sink in one
 * call, and only a sink that returns a promise costs one.
 * @throws EngineError; the signal's reason when it aborts first; whatever the sink throws
 */
export function callSse<Result>(dispatcher: Dispatcher, call: SseCall<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    call.signal.throwIfAborted();
    const relay = new SseRelay(call, resolve, reject);
    dispatcher.dispatch(
      {
        method: 'POST',
        path: call.path,
        headers: call.headers,
        body: call.body,
        headersTimeout: call.headersMs,
        bodyTimeout: call.bodyMs,
      },
      relay,
    );
  });
}

type Outcome<Result> =
  | { readonly ok: true; readonly result: Result }
  | { readonly ok: false; readonly error: EngineError };

class SseRelay<Result> implements Dispatcher.DispatchHandler {
  readonly #call: SseCall<Result>;
  readonly #resolve: (result: Result) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #decoder: SseDecoder;
  readonly #onAbort = () => this.#drop(this.#call.signal.reason);

  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: AnswerHeaders = {};
  #errorBody: Buffer[] = [];
  #errorBodyBytes = 0;
  /** Text read and not yet given to the sink. */
  #pieces: string[] = [];
  #logprobs: (readonly TokenLogprob[])[] = [];
  /** How the engine's side ended; the call settles with it once the sink has taken all text. */
  #outcome: Outcome<Result> | undefined;
  /** A delivery is due at the end of this read. */
  #scheduled = false;
  /** The sink has not resolved its last promise. */
  #held = false;
  /** The response is over: the connection may already serve another request. */
  #responseOver = false;
  #settled = false;

  constructor(
    call: SseCall<Result>,
    resolve: (result: Result) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#call = call;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#decoder = new SseDecoder({
      engine: call.engine,
      maxEventBytes: call.maxEventBytes,
      onData: (data) => this.#onData(data),
    });
    call.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Aborted while connecting: undici had no controller to abort until this moment.
    if (this.#settled) controller.abort(new Error('aborted before the request was sent'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: AnswerHeaders,
  ): void {
    if (this.#settled || status < 200) return;
    this.#call.onAnswer?.();
    this.#status = status;
    this.#headers = headers;
    if (status !== 200) return;
    if (String(headers['content-type']).startsWith('text/event-stream')) {
      this.#guard(() => this.#call.sink.started());
    } else {
      this.#fail('garbage', 'the answer is not an event stream');
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled || this.#outcome !== undefined) {
      if (this.#call.stopsAtResult === true) this.#closeConnection('the result is there');
      return;
    }
    if (this.#status !== 200) {
      this.#keepErrorBody(chunk);
      return;
    }
    try {
      this.#decoder.feed(chunk);
    } catch (error) {
      this.#end({ ok: false, error: transportFault(this.#call.engine, error) });
      return;
    }
    if (this.#outcome !== undefined) {
      this.#deliver();
    } else if (this.#pieces.length > 0 && !this.#scheduled) {
      // One read of the socket may hold many HTTP chunks, each of them a call to this method.
      this.#scheduled = true;
      process.nextTick(deliverRead, this);
    }
  }

  onResponseEnd(): void {
    this.#responseOver = true;
    if (this.#settled || this.#outcome !== undefined) return;
    if (this.#status === 200) this.#endOfStream();
    else this.#refuse();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#responseOver = true;
    if (this.#settled || this.#outcome !== undefined) return;
    this.#end({ ok: false, error: transportFault(this.#call.engine, error) });
  }

  /** Delivers what one socket read brought; runs after undici has handed over all of it. */
  deliverRead(): void {
    this.#scheduled = false;
    this.#deliver();
  }

  #onData(data: string): void {
    if (this.#outcome !== undefined) return;
    const result = this.#call.read(data, this.#pieces, this.#logprobs);
    if (result !== undefined) this.#outcome = { ok: true, result };
  }

  #endOfStream(): void {
    try {
      const result = this.#call.readEnd?.(this.#pieces, this.#logprobs);
      if (result === undefined) {
        this.#fail('broken', 'the stream ended without its last event');
        return;
      }
      this.#outcome = { ok: true, result };
    } catch (error) {
      this.#outcome = { ok: false, error: transportFault(this.#call.engine, error) };
    }
    this.#deliver();
  }

  #deliver(): void {
    if (this.#settled || this.#held) return;
    if (this.#pieces.length > 0) {
      const pieces = this.#pieces;
      this.#pieces = [];
      const hold = this.#guard(() => this.#give(pieces));
      if (hold !== undefined) {
        this.#hold(hold);
        return;
      }
    }
    const outcome = this.#outcome;
    if (this.#settled || outcome === undefined) return;
    this.#settle();
    if (outcome.ok) this.#resolve(outcome.result);
    else this.#reject(outcome.error);
  }

  #give(pieces: readonly string[]): void | Promise<void> {
    const { sink, logprobs: asked } = this.#call;
    if (!asked) return sink.tokens(pieces);
    const logprobs = this.#logprobs;
    this.#logprobs = [];
    return sink.tokens(pieces, logprobs);
  }

  /** Leaves the socket unread until the sink is ready for more. */
  #hold(hold: Promise<void>): void {
    this.#held = true;
    if (!this.#responseOver) this.#controller?.pause();
    hold.then(
      () => {
        this.#held = false;
        this.#deliver();
        if (!this.#held && !this.#responseOver) this.#controller?.resume();
      },
      (error: unknown) => this.#drop(error),
    );
  }

  /** Runs a call into the sink; what it throws ends the exchange. */
  #guard<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#drop(error);
      return undefined;
    }
  }

  #keepErrorBody(chunk: Buffer): void {
    this.#errorBody.push(chunk);
    this.#errorBodyBytes += chunk.length;
    if (this.#errorBodyBytes > MAX_ERROR_BODY_BYTES) this.#refuse();
  }

  #refuse(): void {
    const body = Buffer.concat(this.#errorBody).toString('utf8');
    this.#end({ ok: false, error: this.#call.refusal(this.#status, body, this.#headers) });
  }

  #fail(fault: EngineFault, message: string): void {
    const error = new EngineError(fault, this.#call.engine, message, { status: this.#status });
    this.#end({ ok: false, error });
  }

  /** The engine failed: the connection is of no more use, the text it gave still is. */
  #end(outcome: Outcome<Result>): void {
    this.#outcome = outcome;
    this.#closeConnection('engine failed');
    this.#deliver();
  }

  /** This side gave up: nothing more reaches the sink. */
  #drop(reason: unknown): void {
    if (this.#settled) return;
    this.#settle();
    this.#closeConnection('aborted');
    this.#reject(reason);
  }

  #closeConnection(why: string): void {
    if (this.#responseOver) return;
    this.#responseOver = true;
    this.#controller?.abort(new Error(why));
  }

  #settle(): void {
    this.#settled = true;
    this.#call.signal.removeEventListener('abort', this.#onAbort);
  }
}

function deliverRead(relay: { deliverRead(): void }): void {
  relay.deliverRead();
}
