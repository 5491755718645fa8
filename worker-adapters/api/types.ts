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

/** Text to complete as it stands, or a conversation for the engine's own chat template. */
export type EnginePrompt = string | readonly ChatMessage[];

export interface EngineRequest {
  readonly taskId: string;
  readonly correlationId: string;
  readonly prompt: EnginePrompt;
  readonly maxTokens: number | undefined;
  /** Already folded into the range the engine accepts, see `foldSeed`. */
  readonly seed: number;
  readonly sampling: Sampling;
  /** Strict tasks ask for the engine's byte-exact recipe, at the price of prefix reuse where needed. */
  readonly deterministic: boolean;
  readonly reuseKv: boolean;
  /** The slot to run in, where slots are numbered and one holds the KV wanted; undefined: any. */
  readonly slotId?: number | undefined;
}

export interface EmbedRequest {
  readonly taskId: string;
  readonly correlationId: string;
  readonly inputs: readonly string[];
}

export interface EmbedResult {
  /** One vector for each input, in their order. */
  readonly embeddings: readonly (readonly number[])[];
  readonly tokensIn: number;
}

export interface RerankRequest {
  readonly taskId: string;
  readonly correlationId: string;
  readonly query: string;
  readonly documents: readonly string[];
  /** Results wanted; undefined: one for each document. */
  readonly topN: number | undefined;
}

export interface RerankResult {
  /** Best first; `index` is the document's place in the request. */
  readonly results: readonly { readonly index: number; readonly score: number }[];
  readonly tokensIn: number;
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
  /** `sha256:…` of the model, from the few engines that know it. */
  readonly modelDigest: string | undefined;
  /** Requests it runs at once; undefined where the engine does not say. */
  readonly slots: number | undefined;
  /** Context per slot, tokens; undefined where the engine does not say. */
  readonly ctx: number | undefined;
  /**
   * Tokens of the KV cache that its requests share; undefined where each slot has a context of its own, or
   * the engine does not say.
   */
  readonly kvTokens: number | undefined;
  /** Prompt tokens of one step; undefined where the engine does not say. */
  readonly chunkTokens: number | undefined;
  /**
   * Who renders chat messages: `template` means that `applyTemplate` gives the text, `engine` that only
   * the engine itself can (submit takes the messages), `none` that nothing does.
   */
  readonly chat: 'template' | 'engine' | 'none';
  readonly chatTemplate: string | undefined;
  /** A prompt whose beginning was cached gives the same bytes as a cold one, so strict tasks reuse it. */
  readonly exactPrefixReuse: boolean;
}

/** What is undefined the engine does not say. */
export interface EngineMetrics {
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** 0..1. */
  readonly kvUsage: number | undefined;
}

/** Of an engine that does not tell its load. */
export const UNKNOWN_LOAD: EngineMetrics = {
  running: undefined,
  waiting: undefined,
  kvUsage: undefined,
};

export type Workload = 'completion' | 'embedding' | 'rerank';

export interface AdapterCapabilities {
  /** What the engine can serve; one process may serve only part of it, by its model and flags. */
  readonly workloads: readonly Workload[];
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
  /** `http(s)://host:port`, with the path the engine's API is mounted under, no trailing slash. */
  readonly url: string;
  readonly timeouts: AdapterTimeouts;
  /** Concurrent streams the connection pool must carry. */
  readonly maxStreams: number;
  /** The name the engine serves the model under; engines of one model need none. */
  readonly model?: string | undefined;
  /** Sent as `Authorization: Bearer`. */
  readonly apiKey?: string | undefined;
  /** Further headers of every request, asked for anew each time. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined;
  /** Jinja chat template, for engines that have none of their own. */
  readonly chatTemplate?: string | undefined;
  /**
   * Whether Triton's model streams what is new or all text so far; by default it is told from the
   * model's configuration or, where that does not say, from the stream.
   */
  readonly textOutput?: 'delta' | 'cumulative' | undefined;
  /**
   * Where Triton serves its metrics, `{host}` for the host of `url`; by default two ports above `url`,
   * where Triton puts them.
   */
  readonly metricsUrl?: string | undefined;
}

/** The KV of an engine whose slots are numbered. Each call resolves false where this process cannot do it. */
export interface SlotKeeper {
  /** Drops a slot's KV. @throws EngineError */
  erase(slotId: number, signal?: AbortSignal): Promise<boolean>;
  /**
   * Writes a slot's KV to a file of the engine's own folder.
   * @param file a plain file name
   * @throws EngineError
   */
  save(slotId: number, file: string, signal?: AbortSignal): Promise<boolean>;
  /** Reads it back into a slot; false also where the file is not there or holds nothing. @throws EngineError */
  restore(slotId: number, file: string, signal?: AbortSignal): Promise<boolean>;
}

export interface WorkerAdapter extends AsyncDisposable {
  readonly engine: EngineName;
  readonly url: string;
  readonly capabilities: AdapterCapabilities;
  /** Undefined where the KV of the engine is not told apart by slots. */
  readonly slots?: SlotKeeper | undefined;
  /** Liveness against readiness: loading is not a failure. Never throws; never slower than `controlMs`. */
  health(signal?: AbortSignal): Promise<EngineHealth>;
  /** @throws EngineError */
  props(signal?: AbortSignal): Promise<EngineProps>;
  /** Undefined where the engine cannot count. @throws EngineError */
  countTokens(prompt: EnginePrompt, signal?: AbortSignal): Promise<number | undefined>;
  /**
   * Renders chat messages with the model's own template.
   * @throws EngineError `permanent` unless `props` say that chat is by `template`
   */
  applyTemplate(messages: readonly ChatMessage[], signal?: AbortSignal): Promise<string>;
  /**
   * Runs one generation. Aborting the signal closes the connection, which frees the slot; the call
   * then rejects with the signal's reason. Success means that the engine's own terminal event was seen,
   * or a stop string that the engine does not look for.
   * @throws EngineError
   */
  submit(request: EngineRequest, sink: TokenSink, signal: AbortSignal): Promise<EngineResult>;
  /** Bounded by `headersMs`. @throws EngineError `permanent` where the engine embeds nothing */
  embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult>;
  /** Bounded by `headersMs`. @throws EngineError `permanent` where the engine ranks nothing */
  rerank(request: RerankRequest, signal: AbortSignal): Promise<RerankResult>;
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
  /** How long the engine asks to be left alone, ms, at most an hour; undefined where it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(
    fault: EngineFault,
    engine: EngineName,
    message: string,
    options: {
      readonly status?: number | undefined;
      readonly cause?: unknown;
      readonly retryAfterMs?: number | undefined;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.fault = fault;
    this.engine = engine;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}
