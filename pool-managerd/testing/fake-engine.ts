/* eslint-disable @typescript-eslint/require-await -- the adapter's methods are asynchronous whether a fake waits or not */
/**
 * An engine that lives in the test: a process that can be made to exit or hang, and an adapter to it
 * whose answers the test sets. It keeps the adapter's contract: aborting ends a call, busy slots count.
 */
import { EngineError } from '@llama-orch/worker-adapters';
import type {
  AdapterOptions,
  EmbedRequest,
  EmbedResult,
  EngineHealth,
  EnginePrompt,
  EngineProps,
  EngineRequest,
  EngineResult,
  RerankRequest,
  RerankResult,
  TokenSink,
  WorkerAdapter,
} from '@llama-orch/worker-adapters';
import type { EngineExit, EngineProcess, EngineSpec } from '../src/spawn-engine.ts';

export interface FakeBehaviour {
  health: EngineHealth | 'silent';
  props: Partial<EngineProps>;
  /** `chat-only`: text is refused, messages are not. */
  decode: 'ok' | 'silent' | 'broken' | 'chat-only';
  /** A slot stays busy after its request was cancelled. */
  leakSlots: boolean;
  template: (content: string) => string;
  /** SIGTERM is ignored, as by a stopped or hung process. */
  ignoresTerm: boolean;
}

export class FakeEngine {
  readonly behaviour: FakeBehaviour;
  readonly spawned: FakeProcess[] = [];
  readonly adapters: FakeAdapter[] = [];

  constructor(behaviour: Partial<FakeBehaviour> = {}) {
    this.behaviour = {
      health: { state: 'ready' },
      props: {},
      decode: 'ok',
      leakSlots: false,
      template: (content) => `<user>${content}<assistant>`,
      ignoresTerm: false,
      ...behaviour,
    };
  }

  readonly spawn = (spec: EngineSpec): EngineProcess => {
    const process = new FakeProcess(spec, this, this.spawned.length + 1);
    this.spawned.push(process);
    return process;
  };

  readonly openAdapter = (options: AdapterOptions): WorkerAdapter => {
    const adapter = new FakeAdapter(options, this.behaviour);
    this.adapters.push(adapter);
    return adapter;
  };
}

export class FakeProcess implements EngineProcess {
  readonly spec: EngineSpec;
  readonly pid: number;
  readonly listening: Promise<string>;
  readonly exited: Promise<EngineExit>;
  readonly signals: NodeJS.Signals[] = [];
  readonly output = ['the last line of output'];
  #exit: (exit: EngineExit) => void = () => undefined;
  readonly #engine: FakeEngine;

  constructor(spec: EngineSpec, engine: FakeEngine, pid: number) {
    this.spec = spec;
    this.pid = pid;
    this.#engine = engine;
    this.listening = Promise.resolve(`http://127.0.0.1:${9000 + pid}`);
    this.exited = new Promise((resolve) => (this.#exit = resolve));
  }

  lastLines(): readonly string[] {
    return this.output;
  }

  /** Prints a line, as an engine does while it runs or as it dies. */
  print(line: string): void {
    this.output.push(line);
    this.spec.onLine?.(line);
  }

  kill(signal: NodeJS.Signals): void {
    this.signals.push(signal);
    if (signal === 'SIGKILL' || !this.#engine.behaviour.ignoresTerm) this.exit(null, signal);
  }

  exit(code: number | null, signal: NodeJS.Signals | null = null): void {
    this.#exit({ code, signal, spawnError: undefined });
  }
}

export class FakeAdapter implements WorkerAdapter {
  readonly engine = 'llamacpp';
  readonly url: string;
  readonly capabilities = {
    workloads: ['completion'],
    determinism: 'exact',
    interruptibleDecode: true,
    features: [],
  } as const;
  closed = false;
  busySlots = 0;
  readonly #behaviour: FakeBehaviour;

  constructor(options: AdapterOptions, behaviour: FakeBehaviour) {
    this.url = options.url;
    this.#behaviour = behaviour;
  }

  async health(signal?: AbortSignal): Promise<EngineHealth> {
    const { health } = this.#behaviour;
    if (health !== 'silent') return health;
    await untilAborted(signal).catch(() => undefined);
    return { state: 'down', reason: 'no answer' };
  }

  async props(): Promise<EngineProps> {
    return {
      engineVersion: 'b1-fake',
      modelAlias: 'tiny',
      modelPath: '/models/tiny.gguf',
      modelDigest: undefined,
      slots: 1,
      ctx: 1024,
      kvTokens: 1024,
      chunkTokens: undefined,
      chat: 'template',
      chatTemplate: '{{ messages }}',
      exactPrefixReuse: false,
      ...this.#behaviour.props,
    };
  }

  async countTokens(prompt: EnginePrompt): Promise<number> {
    return prompt.length;
  }

  async applyTemplate(messages: readonly { readonly content: string }[]): Promise<string> {
    return this.#behaviour.template(messages[0]?.content ?? '');
  }

  async submit(
    { maxTokens = 1, prompt }: EngineRequest,
    sink: TokenSink,
    signal: AbortSignal,
  ): Promise<EngineResult> {
    const { decode, leakSlots } = this.#behaviour;
    if (decode === 'silent') return untilAborted(signal);
    if (decode === 'chat-only' && typeof prompt === 'string') {
      throw new EngineError('permanent', 'llamacpp', 'there is no route for text');
    }
    if (decode === 'broken') throw new EngineError('broken', 'llamacpp', 'connection reset');
    this.busySlots += 1;
    try {
      sink.started();
      for (let token = 0; token < maxTokens; token++) {
        await sink.tokens([`t${token}`]);
        signal.throwIfAborted();
      }
    } finally {
      if (!leakSlots || !signal.aborted) this.busySlots -= 1;
    }
    return {
      finishReason: 'length',
      tokensIn: 4,
      tokensOut: maxTokens,
      cachedTokens: 0,
      decodeMs: undefined,
      slotId: 0,
    };
  }

  async embed({ inputs }: EmbedRequest): Promise<EmbedResult> {
    return { embeddings: inputs.map((text) => [text.length]), tokensIn: inputs.length };
  }

  async rerank({ documents }: RerankRequest): Promise<RerankResult> {
    const results = documents.map((text, index) => ({ index, score: text.length }));
    return { results, tokensIn: documents.length };
  }

  async metrics() {
    return { running: this.busySlots, waiting: 0, kvUsage: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
  }
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
