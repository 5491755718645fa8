/**
 * The production host of the pure core: steps it, writes the events of each step to the ledger in one
 * transaction with what its effects want written, and wakes it when something falls due.
 *
 * State in memory moves at once; what outsiders may rely on (a 202, an `end`) waits for the returned
 * `durable`.
 */
import { OrchError } from '@llama-orch/contracts';
import type { Command, Core, CoreEvent, Effect } from '@llama-orch/orchestrator-core';
import type { Clock } from '../clock.ts';
import type { ArchivedTask, LedgerEvent, TranscriptChunk, WriteBatch } from '../ledger/types.ts';
import type { DurableWriter } from './durable-writer.ts';

/** What an effect wants written in the transaction of the step that caused it. */
export interface EffectWrites {
  readonly transcript?: TranscriptChunk | undefined;
  readonly archive?: ArchivedTask;
  /** Runs once the transaction is durable. */
  readonly onDurable?: () => void;
}

export interface EffectHandler {
  /** Called with every event of a step before its effects, inside the step. */
  observe(event: CoreEvent): void;
  /** Called synchronously and in order, inside the step. Must not call back into the host. */
  handle(effect: Effect, nowMs: number): EffectWrites | undefined;
  /**
   * What the daemon remembers of an event beyond the core's own fields; JSON-serialisable. Called after
   * the effects, which may have told of it.
   */
  detail(event: CoreEvent): object | undefined;
}

export interface Applied {
  readonly effects: readonly Effect[];
  readonly durable: Promise<void>;
}

/** An event as the ledger stores it. */
export interface StoredEvent {
  readonly event: CoreEvent;
  readonly detail?: unknown;
}

/** Version of `StoredEvent` in the ledger; raised when its shape changes. */
export const EVENT_VERSION = 1;

export interface CoreHostOptions {
  readonly core: Core;
  readonly writer: DurableWriter;
  readonly clock: Clock;
  readonly handler: EffectHandler;
  /** Called after each step that wrote events, with their number. */
  readonly onEvents: (count: number) => void;
}

interface Step {
  readonly batch: WriteBatch | undefined;
  readonly effects: readonly Effect[];
  readonly callbacks: readonly (() => void)[];
}

const DURABLE = Promise.resolve();

export class CoreHost {
  readonly #options: CoreHostOptions;
  #cancelWake: (() => void) | undefined;
  #wakeAtMs = Infinity;
  #stepping = false;
  #stopped = false;

  constructor(options: CoreHostOptions) {
    this.#options = options;
  }

  /** Steps the core. `durable` never rejects: a failed write is retried until the daemon gives up. */
  apply(command: Command): Applied {
    return this.run((core, now) => core.step(command, now));
  }

  /** For whoever may be called from inside a step: steps now, or as soon as that step is over. */
  tell(command: Command): void {
    if (this.#stepping) queueMicrotask(() => this.tell(command));
    else this.apply(command);
  }

  /** Like `apply`, for what is not a command: `resume` after recovery. */
  run(step: (core: Core, nowMs: number) => ReturnType<Core['step']>): Applied {
    const { batch, effects, callbacks } = this.#step(step);
    if (batch === undefined) return { effects, durable: DURABLE };
    const written = this.#options.writer.write(batch);
    return {
      effects,
      durable: callbacks.length === 0 ? written : written.then(() => call(callbacks)),
    };
  }

  /**
   * Steps an admission. Unlike `apply`, a failed write is reported and the task withdrawn: nobody was
   * promised anything yet.
   * @throws OrchError POOL_UNAVAILABLE (through `durable`, or at once while the ledger is broken)
   */
  admit(command: Extract<Command, { type: 'admit' }>): Applied {
    const { writer } = this.#options;
    if (!writer.healthy) throw ledgerUnavailable(undefined);
    const { batch, effects, callbacks } = this.#step((core, now) => core.step(command, now));
    if (batch === undefined) return { effects, durable: DURABLE };
    // It may hold the ends and dispatches of others, who are told when it is stored after all.
    const durable = writer
      .writeOrReport(batch, () => call(callbacks))
      .catch((error: unknown) => {
        this.apply({ type: 'cancel', taskId: command.task.taskId, reason: 'withdrawn' });
        throw ledgerUnavailable(error);
      });
    return { effects, durable };
  }

  /** No timer fires after this. */
  stop(): void {
    this.#stopped = true;
    this.#cancelWake?.();
  }

  #step(run: (core: Core, nowMs: number) => ReturnType<Core['step']>): Step {
    if (this.#stepping) throw new Error('a core step was entered from inside another');
    this.#stepping = true;
    try {
      const { core, handler, clock, onEvents } = this.#options;
      const now = clock.now();
      const { events, effects } = run(core, now);
      for (const event of events) handler.observe(event);
      const transcripts: TranscriptChunk[] = [];
      const archive: ArchivedTask[] = [];
      const callbacks: (() => void)[] = [];
      for (const effect of effects) {
        const writes = handler.handle(effect, now);
        if (writes === undefined) continue;
        if (writes.transcript !== undefined) transcripts.push(writes.transcript);
        if (writes.archive !== undefined) archive.push(writes.archive);
        if (writes.onDurable !== undefined) callbacks.push(writes.onDurable);
      }
      this.#armWake(now);
      // Written down only now: the effects have sent the engines their work already.
      const stored = events.map((event) => toLedgerEvent(event, handler.detail(event), now));
      if (stored.length > 0) onEvents(stored.length);
      const nothing = stored.length === 0 && transcripts.length === 0 && archive.length === 0;
      return {
        batch: nothing ? undefined : { events: stored, transcripts, archive },
        effects,
        callbacks,
      };
    } finally {
      this.#stepping = false;
    }
  }

  #armWake(now: number): void {
    const wakeAt = this.#options.core.nextWakeMs() ?? Infinity;
    if (wakeAt === this.#wakeAtMs || this.#stopped) return;
    this.#cancelWake?.();
    this.#wakeAtMs = wakeAt;
    this.#cancelWake =
      wakeAt === Infinity
        ? undefined
        : this.#options.clock.setTimer(wakeAt <= now ? 0 : Math.max(1, wakeAt - now), () => {
            this.#wakeAtMs = Infinity;
            this.apply({ type: 'tick' });
          });
  }
}

function toLedgerEvent(event: CoreEvent, detail: object | undefined, atMs: number): LedgerEvent {
  const stored: StoredEvent = detail === undefined ? { event } : { event, detail };
  return {
    v: EVENT_VERSION,
    type: event.type,
    atMs,
    taskId: 'taskId' in event ? event.taskId : undefined,
    data: JSON.stringify(stored),
  };
}

function call(callbacks: readonly (() => void)[]): void {
  for (const callback of callbacks) callback();
}

function ledgerUnavailable(cause: unknown): OrchError {
  return new OrchError('POOL_UNAVAILABLE', 'the ledger cannot take writes right now', {
    retriable: true,
    retryAfterMs: 1000,
    cause,
  });
}
