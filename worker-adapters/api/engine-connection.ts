import { Pool } from 'undici';
import { callEngine } from './control-call.ts';
import type { ControlAnswer, ControlCall } from './control-call.ts';
import { parseJson } from './json-fields.ts';
import { withRetryAfter } from './retry-after.ts';
import type { AnswerHeaders } from './retry-after.ts';
import { callSse } from './sse-call.ts';
import type { SseCall } from './sse-call.ts';
import { EngineError } from './types.ts';
import type { AdapterOptions, EngineHealth, EngineName } from './types.ts';

export interface ConnectionSettings {
  readonly engine: EngineName;
  /** Bound of one stream event, bytes. */
  readonly maxEventBytes: number;
  /** Bound of one control answer, bytes. */
  readonly maxControlBytes: number;
  /** Names the failure that an answer other than 200 stands for. */
  readonly refusal: (status: number, body: string) => EngineError;
  /**
   * The engine opens its port only when it has loaded: until it has answered once, a refused
   * connection means that it is loading.
   */
  readonly refusedWhileLoading: boolean;
}

export type EngineCall = Pick<ControlCall, 'method' | 'path' | 'body' | 'signal' | 'once'> & {
  readonly correlationId?: string;
};

export type StreamCall<Result> = Pick<
  SseCall<Result>,
  'path' | 'body' | 'sink' | 'signal' | 'logprobs' | 'read' | 'readEnd' | 'stopsAtResult'
> & { readonly correlationId: string };

/** Health must be answered while every stream is busy: control calls have their own connections. */
const CONTROL_CONNECTIONS = 4;

/** The connections of one adapter to its engine: bounded, timed, and closed with it. */
export class EngineConnection implements AsyncDisposable {
  readonly #settings: ConnectionSettings;
  readonly #options: AdapterOptions;
  /** What stands before every path. */
  readonly #base: string;
  readonly #streams: Pool;
  readonly #control: Pool;
  #active = 0;
  #hasAnswered = false;

  constructor(options: AdapterOptions, settings: ConnectionSettings) {
    this.#settings = settings;
    this.#options = options;
    const { origin, pathname } = new URL(options.url);
    this.#base = pathname.replace(/\/$/, '');
    const pool = { pipelining: 1, connectTimeout: options.timeouts.connectMs };
    this.#streams = new Pool(origin, { ...pool, connections: options.maxStreams });
    this.#control = new Pool(origin, { ...pool, connections: CONTROL_CONNECTIONS });
  }

  /**
   * Asks for a sign of life. Never throws; bounded by `controlMs`.
   * @param read what an HTTP answer means
   */
  async health(
    path: string,
    signal: AbortSignal | undefined,
    read: (answer: ControlAnswer) => EngineHealth,
  ): Promise<EngineHealth> {
    try {
      return read(await this.call({ method: 'GET', path, signal }));
    } catch (error) {
      if (error instanceof EngineError && error.fault === 'not-ready') return { state: 'loading' };
      return { state: 'down', reason: error instanceof Error ? error.message : 'aborted' };
    }
  }

  /** One short call; any HTTP status is an answer. @throws EngineError; the signal's reason */
  async call(call: EngineCall): Promise<ControlAnswer> {
    return this.#exchange(this.#control, call, this.#options.timeouts.controlMs, 'garbage');
  }

  /** One short call whose answer must have status 200. @throws EngineError; the signal's reason */
  async text(call: EngineCall): Promise<string> {
    return this.textOf(await this.call(call));
  }

  /** One short call whose answer must be JSON under status 200. @throws EngineError; the signal's reason */
  async json(call: EngineCall): Promise<unknown> {
    return this.#toJson(call.path, await this.call(call));
  }

  /** What an answer says. @throws EngineError that it stands for, if its status is another than 200 */
  textOf({ status, text, headers }: ControlAnswer): string {
    if (status !== 200) throw this.#refusal(status, text, headers);
    return text;
  }

  /**
   * A call that makes the engine compute and is answered whole, such as an embedding: it counts as a
   * stream and is bounded by `headersMs`. That the answer is too long is a fault of the request.
   * @throws EngineError; the signal's reason
   */
  async compute(call: EngineCall): Promise<unknown> {
    return this.#counted(async () => {
      const { headersMs } = this.#options.timeouts;
      const answer = await this.#exchange(this.#streams, call, headersMs, 'permanent');
      return this.#toJson(call.path, answer);
    });
  }

  /** One event stream, see `callSse`. @throws EngineError; the signal's reason; what the sink throws */
  async stream<Result>({ path, correlationId, ...call }: StreamCall<Result>): Promise<Result> {
    const { engine, maxEventBytes } = this.#settings;
    const { headersMs, bodyMs } = this.#options.timeouts;
    return this.#counted(() =>
      this.#noticeLoading(
        callSse(this.#streams, {
          ...call,
          engine,
          path: this.#base + path,
          headers: this.#headers(correlationId),
          headersMs,
          bodyMs,
          maxEventBytes,
          refusal: this.#refusal,
          onAnswer: () => (this.#hasAnswered = true),
        }),
      ),
    );
  }

  /** Ends all calls in flight with `broken`. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#streams.destroy(), this.#control.destroy()]);
  }

  async #counted<T>(run: () => Promise<T>): Promise<T> {
    const { maxStreams } = this.#options;
    if (this.#active >= maxStreams) {
      const message = `all ${maxStreams} streams are in use`;
      throw new EngineError('busy', this.#settings.engine, message);
    }
    this.#active += 1;
    try {
      return await run();
    } finally {
      this.#active -= 1;
    }
  }

  async #exchange(
    pool: Pool,
    call: EngineCall,
    timeoutMs: number,
    oversize: ControlCall['oversize'],
  ): Promise<ControlAnswer> {
    const { method, path, body, signal, once, correlationId } = call;
    const { engine, maxControlBytes: maxBytes } = this.#settings;
    const answer = await this.#noticeLoading(
      callEngine(pool, {
        engine,
        method,
        path: this.#base + path,
        headers: this.#headers(correlationId),
        ...(body === undefined ? {} : { body }),
        once,
        timeoutMs,
        maxBytes,
        oversize,
        signal,
      }),
    );
    this.#hasAnswered = true;
    return answer;
  }

  async #noticeLoading<T>(exchange: Promise<T>): Promise<T> {
    try {
      return await exchange;
    } catch (error) {
      const { engine, refusedWhileLoading } = this.#settings;
      if (!refusedWhileLoading || this.#hasAnswered || !isRefused(error)) throw error;
      throw new EngineError('not-ready', engine, 'the engine does not listen yet', {
        cause: error,
      });
    }
  }

  readonly #refusal = (status: number, body: string, headers: AnswerHeaders): EngineError =>
    withRetryAfter(this.#settings.refusal(status, body), headers);

  #toJson(path: string, answer: ControlAnswer): unknown {
    const value = parseJson(this.textOf(answer));
    if (value === undefined) throw malformed(this.#settings.engine, path);
    return value;
  }

  #headers(correlationId: string | undefined): Record<string, string> {
    const { apiKey, headers } = this.#options;
    return {
      'content-type': 'application/json',
      ...(correlationId === undefined ? {} : { 'x-correlation-id': correlationId }),
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      ...headers?.(),
    };
  }
}

/** A control route gave an answer of a shape it must not have. */
export function malformed(engine: EngineName, path: string): EngineError {
  return new EngineError('garbage', engine, `${path} answered what it must not`);
}

function isRefused(error: unknown): boolean {
  return error instanceof EngineError && error.fault === 'broken' && isRefusedCode(error.cause);
}

function isRefusedCode(cause: unknown): boolean {
  if (cause instanceof AggregateError) return cause.errors.every(isRefusedCode);
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}
