/** What the conformance suites share: the engines they ask for, and small helpers. */
import type { describe, expect, test } from 'vitest';
import type {
  AdapterTimeouts,
  ChatMessage,
  EngineFault,
  EngineProps,
  EngineRequest,
  EngineResult,
  OpenAdapter,
  RerankResult,
  TokenLogprob,
  TokenSink,
  Workload,
} from './types.ts';

/** The functions of vitest, passed in so that the package does not load it. */
export interface TestKit {
  readonly describe: typeof describe;
  readonly test: typeof test;
  readonly expect: typeof expect;
}

export interface EngineSetup {
  readonly slots?: number;
  /** Context per slot, tokens. */
  readonly ctx?: number;
  /** Its text goes on for longer than any test looks; otherwise the model ends it by itself. */
  readonly endless?: boolean;
}

export interface SimulatorSetup {
  readonly slots?: number;
  /** Context per slot, tokens. */
  readonly ctx?: number;
  /** Tokens after which the model ends by itself. */
  readonly tokens?: number;
  /** Cuts what is written into HTTP chunks of so many bytes. */
  readonly splitBytes?: number;
  /** Keep-alive comment before every n-th token. */
  readonly commentEvery?: number;
  readonly tokensPerWrite?: number;
  /** Tokens in one event of the stream. */
  readonly tokensPerChunk?: number;
}

/** One completion's misbehaviour, in the terms of `EngineError`; how it looks is the protocol's. */
export type SimulatorFault =
  | {
      readonly kind: 'stall' | 'cut' | 'eof' | 'garbage' | 'error-in-stream';
      readonly after_tokens: number;
    }
  | { readonly kind: 'hang' }
  | { readonly kind: 'slow-first'; readonly ms: number }
  | {
      readonly kind: 'refuse';
      readonly why: Refusal;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The same failure, told in the stream under status 200. */
  | { readonly kind: 'refuse-in-stream'; readonly why: Refusal };

export type Refusal = 'invalid' | 'overload' | 'internal' | 'unauthorized' | 'unknown-route';

/** In what engines differ by design, so that one suite can hold each to what it can do. */
export interface EngineTraits {
  /** Most alternatives per token that it reports; 0: it reports no probabilities. */
  readonly maxLogprobs: number;
  readonly countsTokens: boolean;
  readonly chat: EngineProps['chat'];
  /** Its props tell slots and context. */
  readonly tellsSlots: boolean;
  readonly tellsCtx: boolean;
  /** Its metrics tell what runs and waits, some only once there was a request. */
  readonly tellsLoad: boolean | 'once-used';
  /** Its streams tell how long prompt and output are; otherwise events are counted. */
  readonly tellsUsage: boolean;
  readonly workloads: readonly Workload[];
  /** A stream has a terminal event; otherwise its clean end is the end. */
  readonly endsByEvent: boolean;
  /** One event of its stream may hold several tokens. */
  readonly severalTokensPerChunk: boolean;
  /** Each event of its stream holds all text so far, so that long streams cost the square. */
  readonly repeatsText?: boolean;
  /** Requests beyond its slots wait inside it; otherwise they are refused. */
  readonly queues: boolean;
  /** Without a bound a generation runs to the end of the model or the context; else the bound is its own. */
  readonly runsUnbounded: boolean;
  /**
   * How a generation that fills the context ends: as a `length`, refused before it begins, or as a
   * `stop` where nothing in the stream tells it from the end of the model.
   */
  readonly fullContext: 'length' | 'stop' | 'refused';
  /** Failures it tells in the stream, under status 200. */
  readonly refusesInStream: readonly Refusal[];
  /** KV of a slot can be saved to a file and restored. */
  readonly savesSlots: boolean;
  /** What a missing route stands for; by default `garbage`, the sign of another kind of engine. */
  readonly unknownRoute?: EngineFault;
  /** A prompt longer than its context is cut without a word, and not refused. */
  readonly cutsPrompts?: boolean;
}

/** What an engine does with a request, learnt in another way than from the stream of its answer. */
export interface ExpectedAnswer extends Pick<EngineResult, 'finishReason' | 'tokensOut'> {
  readonly text: string;
}

export interface EngineLoad {
  readonly busySlots: number;
  /** Requests waiting for a slot. */
  readonly deferred: number;
  /** Connections open; undefined where the engine does not tell. */
  readonly sockets?: number;
}

/** An engine that runs, simulated or real. */
export interface TestEngine extends AsyncDisposable {
  readonly url: string;
  /** The request as it must be for this engine to do what it was set up for. */
  shape(request: TextRequest): TextRequest;
  answer(request: TextRequest): ExpectedAnswer | Promise<ExpectedAnswer>;
  /** The text that it completes for these messages. */
  render(messages: readonly ChatMessage[]): string;
  stats(): EngineLoad | Promise<EngineLoad>;
}

export interface AdapterSimulator extends TestEngine {
  /** Makes the next completion fail. */
  fail(fault: SimulatorFault): void;
  setLoading(loading: boolean): void | Promise<void>;
  /** The first `count` pieces of text it gives for this request. */
  pieces(prompt: string, seed: number, count: number): readonly string[];
  /** The probabilities it gives with each of these pieces, `top` alternatives each. */
  logprobs(
    prompt: string,
    seed: number,
    count: number,
    top: number,
  ): readonly (readonly TokenLogprob[])[];
  embedding(text: string): readonly number[];
  /** The documents best first. */
  ranking(query: string, documents: readonly string[]): RerankResult['results'];
  stats(): Required<EngineLoad> & { readonly tokensSent: number };
}

/** An adapter, and the engines it is to be tried on. */
export interface EngineSubject {
  readonly open: OpenAdapter;
  readonly start: (setup: EngineSetup) => Promise<TestEngine>;
  readonly traits: EngineTraits;
}

/** The same where the engine is simulated. */
export interface Subject extends Pick<EngineSubject, 'open' | 'traits'> {
  readonly simulator: (setup: SimulatorSetup) => Promise<AdapterSimulator>;
}

/** More text than any test reads, several tokens to a write so that it comes fast. */
const ENDLESS = { tokens: 1_000_000, ctx: 2_000_000, tokensPerWrite: 50 };

/** A simulator is an engine too. */
export function asEngine({ open, simulator, traits }: Subject): EngineSubject {
  const start = ({ endless = false, ...setup }: EngineSetup) =>
    simulator({ ...(endless ? ENDLESS : {}), ...setup });
  return { open, start, traits };
}

/** Starts an engine for one test, with an adapter on it. */
export function engineStarter({ open, start }: EngineSubject) {
  return async (
    setup: EngineSetup = {},
    { maxStreams = 8, ...timeouts }: Partial<AdapterTimeouts> & { maxStreams?: number } = {},
  ) => {
    const engine = await start(setup);
    const adapter = open({ url: engine.url, timeouts: { ...PATIENT, ...timeouts }, maxStreams });
    const ask = (change: Partial<TextRequest> = {}) => engine.shape(requestOf(change));
    return { engine, adapter, ask };
  };
}

/** Bounds that a loaded machine does not reach. */
export const PATIENT: AdapterTimeouts = {
  connectMs: 10_000,
  controlMs: 10_000,
  headersMs: 10_000,
  bodyMs: 10_000,
};

/** Holds nothing in the text it makes, so a message that leaks it is found. */
export const SECRET = 'the-quick-brown-secret';

/** A request for text to be completed as it stands. */
export type TextRequest = EngineRequest & { readonly prompt: string };

export function requestOf(change: Partial<TextRequest> = {}): TextRequest {
  return {
    taskId: 'task-1',
    correlationId: 'correlation-1',
    prompt: `Write a haiku about ${SECRET}.`,
    maxTokens: 12,
    seed: 42,
    sampling: {
      temperature: 0.8,
      topK: 40,
      topP: 0.95,
      minP: 0.05,
      stop: [],
      grammar: undefined,
      jsonSchema: undefined,
      logprobs: 0,
    },
    deterministic: true,
    reuseKv: true,
    ...change,
  };
}

/** A sink that keeps what it is given. */
export interface Collected {
  readonly sink: TokenSink;
  readonly pieces: string[];
  /** Undefined until the adapter passes any. */
  logprobs: (readonly TokenLogprob[])[] | undefined;
  started: number;
  calls: number;
}

/** @param onTokens runs at each delivery; what it returns holds the engine back */
export function collect(
  onTokens: (collected: Collected) => void | Promise<void> = () => {},
): Collected {
  const collected: Collected = {
    pieces: [],
    logprobs: undefined,
    started: 0,
    calls: 0,
    sink: {
      started: () => {
        collected.started += 1;
      },
      tokens: (pieces, logprobs) => {
        collected.calls += 1;
        collected.pieces.push(...pieces);
        if (logprobs !== undefined) (collected.logprobs ??= []).push(...logprobs);
        return onTokens(collected);
      },
    },
  };
  return collected;
}

/** What a promise rejects with. @throws when it resolves */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}

const POLL_MS = 5;
const WAIT_MS = 15_000;

/** Waits for a condition of another process or of the kernel. @throws after 15 s */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  for (let waited = 0; !(await condition()); waited += POLL_MS) {
    if (waited > WAIT_MS) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Waits until a number has stayed the same for 40 polls in a row. */
export async function untilSteady(
  read: () => number | Promise<number>,
  what: string,
): Promise<number> {
  let last = await read();
  let same = 0;
  await until(async () => {
    const value = await read();
    same = value === last ? same + 1 : 0;
    last = value;
    return same >= 40;
  }, what);
  return last;
}
