/** Keeps the ledger small: a snapshot after so many events, and old tasks swept out on a slow beat. */
import type { RetentionConfig } from '@llama-orch/contracts';
import type { Core } from '@llama-orch/orchestrator-core';
import type { Clock } from '../clock.ts';
import type { Ledger } from '../ledger/types.ts';
import type { Logger } from '../logging.ts';
import type { DurableWriter } from './durable-writer.ts';
import { takeSnapshot } from './recovery.ts';
import type { TaskBook } from './task-book.ts';

export interface LedgerUpkeepOptions {
  readonly core: Core;
  readonly book: TaskBook;
  readonly ledger: Ledger;
  readonly writer: DurableWriter;
  readonly retention: Required<RetentionConfig>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Events between two snapshots, at least: bounds how long recovery takes. */
const SNAPSHOT_EVENTS = 50_000;
/** And at least this many per live task, because a snapshot writes all of them in one go. */
const SNAPSHOT_EVENTS_PER_TASK = 8;

export class LedgerUpkeep {
  readonly #options: LedgerUpkeepOptions;
  #eventsSinceSnapshot = 0;

  constructor(options: LedgerUpkeepOptions) {
    this.#options = options;
  }

  /** Counts events that were handed to the ledger. */
  onEvents(count: number): void {
    this.#eventsSinceSnapshot += count;
    const due = Math.max(SNAPSHOT_EVENTS, SNAPSHOT_EVENTS_PER_TASK * this.#options.book.size);
    if (this.#eventsSinceSnapshot >= due) void this.snapshot();
  }

  /** Not while writes are being retried: a snapshot must not cover what the ledger has yet to get. */
  async snapshot(): Promise<void> {
    const { core, book, ledger, writer, log } = this.#options;
    if (!writer.healthy) return;
    this.#eventsSinceSnapshot = 0;
    try {
      await ledger.snapshot(takeSnapshot(core, book));
    } catch (error) {
      log.error({ err: error }, 'the ledger could not take a snapshot');
    }
  }

  async sweep(): Promise<void> {
    const { ledger, retention, clock, log } = this.#options;
    const policy = { maxAgeMs: retention.max_age_ms, maxTasks: retention.max_tasks };
    try {
      await ledger.sweep(policy, clock.now());
    } catch (error) {
      log.error({ err: error }, 'the ledger could not be swept');
    }
  }
}
