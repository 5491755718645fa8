/**
 * What every engine looks like to the rest of the house. One adapter instance speaks to one replica
 * (one endpoint); it owns the connections to it and is closed with it.
 */
import type { ErrorKind } from '@llama-orch/contracts';

export type EngineName = 'llamacpp' | 'vllm' | 'tgi' | 'triton' | 'openai';

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/** Sampling with nothing left to an engine's own defaults (OC-ADAPT-5010). */
export interface Sampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly stop: readonly string[];
  readonly grammar: string | undefined;
  readonly jsonSchema: object | undefined;
  /** Likely alternatives to report per token, 0..20; 0 reports no probabilities at all. */
  readonly logprobs: number;
}

export interface EngineRequest {
  readonly taskId: string;
  readonly correlationId: string;
  /** Text for the engine to complete as it stands; chat templates were applied before. */
  readonly prompt: string;
  readonly maxTokens: number | undefined;
  /** Already folded into the range the engine accepts, see `foldSeed`. */
  readonly seed: number;
  readonly sampling: Sampling;
  /** Strict tasks ask for the engine's byte-exact recipe, at the price of prefix reuse where needed. */
  readonly deterministic: boolean;
  readonly reuseKv: boolean;
}

export interface Alternative {
  /** Text of one engine token; '' for a control token. */
  readonly token: string;
  /** Natural logarithm of its probability before any sampling filter, at most 0. */
  readonly logprob: number;
}

export interface TokenLogprob extends Alternative {
  /** The likeliest tokens at this place, likeliest first. */
  readonly top: readonly Alternative[];
}

/** Receives a generation as it grows. Called in order, never after `submit` settled. */
export interface TokenSink {
  /** The engine has taken the request into a slot. */
  started(): void;
  /**
   * The pieces of text found in one read, one per engine token event. A returned promise holds the
   * engine back (the socket is not read) until it resolves.
   * @param logprobs only when the request asked for them: for each piece, the engine tokens its text
   * is made of, as far as the engine reported them
   */
  tokens(
    pieces: readonly string[],
    logprobs?: readonly (readonly TokenLogprob[])[],
  ): void | Promise<void>;
}

export interface EngineResult {
  readonly finishReason: 'stop' | 'length';
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly cachedTokens: number;
  /** The engine's own account of decoding time, when it gives one. */
  readonly decodeMs: number | undefined;
  /** The slot that ran it, where the engine has numbered slots. */
  readonly slotId: number | undefined;
}

export type EngineHealth =
  | { readonly state: 'ready' }
  | { readonly state: 'loading' }
  | { readonly state: 'down'; readonly reason: string };

export interface EngineProps {
  readonly engineVersion: string;
  readonly modelAlias: string;
  readonly modelPath: string | undefined;
  readonly slots: number;
  /** Context per slot, tokens. */
  readonly ctx: number;
  readonly chatTemplate: string | undefined;
  /** A prompt whose beginning was cached gives the same bytes as a cold one, so strict tasks reuse it. */
  readonly exactPrefixReuse: boolean;
}

export interface EngineMetrics {
  readonly running: number;
  readonly waiting: number;
  /** 0..1, or undefined when the engine does not say. */
  readonly kvUsage: number | undefined;
}

export interface AdapterCapabilities {
  readonly workloads: readonly ('completion' | 'embedding' | 'rerank')[];
  /** What the adapter can promise of byte-exactness, and under which conditions. */
  readonly determinism: 'exact' | 'exact-single-slot' | 'none';
  readonly interruptibleDecode: boolean;
  readonly features: readonly string[];
}

export interface AdapterTimeouts {
  /** TCP connect, ms. */
  readonly connectMs: number;
  /** Control calls (health, props, tokenize, …) end to end, ms. */
  readonly controlMs: number;
  /** Until the engine answers a submitted request with headers, ms. */
  readonly headersMs: number;
  /** Between two reads of a stream, ms. */
  readonly bodyMs: number;
}

export interface AdapterOptions {
  /** `http://host:port`, no trailing slash. */
  readonly url: string;
  readonly timeouts: AdapterTimeouts;
  /** Concurrent streams the connection pool must carry. */
  readonly maxStreams: number;
}

export interface WorkerAdapter extends AsyncDisposable {
  readonly engine: EngineName;
  readonly url: string;
  readonly capabilities: AdapterCapabilities;
  /** Liveness against readiness: loading is not a failure. Never throws; never slower than `controlMs`. */
  health(signal?: AbortSignal): Promise<EngineHealth>;
  /** @throws EngineError */
  props(signal?: AbortSignal): Promise<EngineProps>;
  /** @throws EngineError */
  countTokens(text: string, signal?: AbortSignal): Promise<number>;
  /** Renders chat messages with the model's own template. @throws EngineError */
  applyTemplate(messages: readonly ChatMessage[], signal?: AbortSignal): Promise<string>;
  /**
   * Runs one generation. Aborting the signal closes the connection, which frees the slot; the call
   * then rejects with the signal's reason. Success means the engine's own terminal event was seen.
   * @throws EngineError
   */
  submit(request: EngineRequest, sink: TokenSink, signal: AbortSignal): Promise<EngineResult>;
  /** Drops a slot's KV where the engine can; resolves false where it cannot. @throws EngineError */
  eraseSlot(slotId: number, signal?: AbortSignal): Promise<boolean>;
  /** @throws EngineError */
  metrics(signal?: AbortSignal): Promise<EngineMetrics>;
}

export type OpenAdapter = (options: AdapterOptions) => WorkerAdapter;

/**
 * How an engine failed, told by what may be done next:
 * `not-ready` it is loading · `busy` try elsewhere · `permanent` the request itself is wrong ·
 * `broken` the engine or the connection failed · `garbage` it answered what the protocol forbids ·
 * `timeout` it did not answer in time.
 */
export type EngineFault = 'not-ready' | 'busy' | 'permanent' | 'broken' | 'garbage' | 'timeout';

export const ENGINE_FAULTS = {
  'not-ready': { kind: 'POOL_UNREADY', retriable: true },
  busy: { kind: 'REPLICA_EXHAUSTED', retriable: true },
  permanent: { kind: 'INVALID_PARAMS', retriable: false },
  broken: { kind: 'WORKER_RESET', retriable: true },
  garbage: { kind: 'WORKER_RESET', retriable: true },
  timeout: { kind: 'DECODE_TIMEOUT', retriable: true },
} as const satisfies Record<EngineFault, { readonly kind: ErrorKind; readonly retriable: boolean }>;

/** Match on `fault`; the message is for people and never holds prompt or output text. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly fault: EngineFault;
  readonly engine: EngineName;
  readonly status: number | undefined;

  constructor(
    fault: EngineFault,
    engine: EngineName,
    message: string,
    options: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.fault = fault;
    this.engine = engine;
    this.status = options.status;
  }
}
