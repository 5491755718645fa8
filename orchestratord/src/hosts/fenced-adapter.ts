/**
 * An adapter to a replica behind a gateway. It adds one promise to those of the adapter inside: when a
 * generation has failed here, it is over there too (OC-POOL-3114). A broken connection says nothing of
 * that; the host's confirmation does, or the end of the lease.
 */
import { randomUUID } from 'node:crypto';
import {
  EngineError,
  type AdapterCapabilities,
  type ChatMessage,
  type EmbedRequest,
  type EmbedResult,
  type EngineFault,
  type EngineHealth,
  type EngineMetrics,
  type EngineName,
  type EnginePrompt,
  type EngineProps,
  type EngineRequest,
  type EngineResult,
  type RerankRequest,
  type RerankResult,
  type SlotKeeper,
  type TokenSink,
  type WorkerAdapter,
} from '@llama-orch/worker-adapters';
import type { Clock } from '../clock.ts';
import { underRequestId } from './request-scope.ts';

export interface FencedAdapterOptions {
  readonly inner: WorkerAdapter;
  readonly clock: Clock;
  /** Resolves when nothing runs under the request id any more; never rejects. */
  readonly whenOver: (requestId: string) => Promise<void>;
  /** The host has not been heard of in time. */
  readonly isOverdue: () => boolean;
}

/** What the gateway answers to a request that is not under the live lease. */
const STALE_LEASE = 409;
/** The engine itself refused: it has nothing running. */
const REFUSALS: ReadonlySet<EngineFault> = new Set(['not-ready', 'busy', 'permanent']);
/** Between two signs of life for attempts whose host is silent, ms; the shortest watchdogs are longer. */
const BEAT_MS = 50;

export class FencedAdapter implements WorkerAdapter {
  readonly #options: FencedAdapterOptions;
  readonly #sinks = new Set<TokenSink>();
  /** Calls that wait to hear that they are over. */
  #waiting = 0;
  #cancelBeat: (() => void) | undefined;

  constructor(options: FencedAdapterOptions) {
    this.#options = options;
  }

  get engine(): EngineName {
    return this.#options.inner.engine;
  }

  get url(): string {
    return this.#options.inner.url;
  }

  get capabilities(): AdapterCapabilities {
    return this.#options.inner.capabilities;
  }

  get slots(): SlotKeeper | undefined {
    return this.#options.inner.slots;
  }

  async submit(
    request: EngineRequest,
    sink: TokenSink,
    signal: AbortSignal,
  ): Promise<EngineResult> {
    this.#sinks.add(sink);
    try {
      return await this.#fenced(() => this.#options.inner.submit(request, sink, signal));
    } finally {
      this.#sinks.delete(sink);
    }
  }

  embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult> {
    return this.#fenced(() => this.#options.inner.embed(request, signal));
  }

  rerank(request: RerankRequest, signal: AbortSignal): Promise<RerankResult> {
    return this.#fenced(() => this.#options.inner.rerank(request, signal));
  }

  health(signal?: AbortSignal): Promise<EngineHealth> {
    return this.#options.inner.health(signal);
  }

  props(signal?: AbortSignal): Promise<EngineProps> {
    return this.#options.inner.props(signal);
  }

  countTokens(prompt: EnginePrompt, signal?: AbortSignal): Promise<number | undefined> {
    return this.#options.inner.countTokens(prompt, signal);
  }

  applyTemplate(messages: readonly ChatMessage[], signal?: AbortSignal): Promise<string> {
    return this.#options.inner.applyTemplate(messages, signal);
  }

  metrics(signal?: AbortSignal): Promise<EngineMetrics> {
    return this.#options.inner.metrics(signal);
  }

  /**
   * While the host is silent, or an end is not confirmed, the silence of its attempts says nothing of
   * the engine: an empty delivery keeps the idle watchdog from taking it for one. Safe to call often.
   */
  keepAlive(): void {
    if (this.#cancelBeat !== undefined) return;
    const { clock, isOverdue } = this.#options;
    if (this.#sinks.size === 0 || (this.#waiting === 0 && !isOverdue())) return;
    for (const sink of this.#sinks) void sink.tokens([]);
    this.#cancelBeat = clock.setTimer(BEAT_MS, () => {
      this.#cancelBeat = undefined;
      this.keepAlive();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.inner[Symbol.asyncDispose]();
  }

  async #fenced<T>(run: () => Promise<T>): Promise<T> {
    const requestId = randomUUID();
    try {
      return await underRequestId(requestId, run);
    } catch (error) {
      const fault = error instanceof EngineError ? error.fault : undefined;
      if (error instanceof EngineError && error.status === STALE_LEASE) {
        throw new EngineError('not-ready', error.engine, 'the lease on the replica has ended', {
          status: STALE_LEASE,
          cause: error,
        });
      }
      if (fault === undefined || !REFUSALS.has(fault)) await this.#untilOver(requestId);
      throw error;
    }
  }

  async #untilOver(requestId: string): Promise<void> {
    this.#waiting += 1;
    this.keepAlive();
    try {
      await this.#options.whenOver(requestId);
    } finally {
      this.#waiting -= 1;
    }
  }
}
