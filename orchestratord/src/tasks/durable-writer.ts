/**
 * Ledger writes that must not be lost once the core has moved on. When a write fails, it and all that
 * follow queue up in order and are retried with growing, jittered pauses, until the ledger takes one: then
 * the others follow at once. When the ledger stays broken the daemon is told to stop, because a restart
 * resumes from what is durable.
 */
import type { Clock } from '../clock.ts';
import { LedgerError } from '../ledger/ledger-error.ts';
import type { Ledger, WriteBatch } from '../ledger/types.ts';

export interface DurableWriterOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** 0 ≤ x < 1; jitter of the pauses. */
  readonly random: () => number;
  /** The retry budget is spent. */
  readonly onFatal: (error: unknown) => void;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** Consecutive failures of one write before giving up: about half a minute. */
const RETRY_BUDGET = 20;

interface Waiting {
  readonly batch: WriteBatch;
  readonly resolve: () => void;
}

export class DurableWriter {
  readonly #options: DurableWriterOptions;
  readonly #backlog: Waiting[] = [];
  #draining = false;
  #stopped = false;

  constructor(options: DurableWriterOptions) {
    this.#options = options;
  }

  /** False while the ledger refuses writes or has much to write: a time to refuse admissions. */
  get healthy(): boolean {
    return this.#backlog.length === 0 && !this.#options.ledger.saturated;
  }

  /** Resolves when durable, however long that takes; never rejects. */
  write(batch: WriteBatch): Promise<void> {
    if (this.#backlog.length > 0) return this.#enqueue(batch);
    return this.#options.ledger.write(batch).catch((error: unknown) => {
      this.#giveUpIfHopeless(error);
      return this.#enqueue(batch);
    });
  }

  /**
   * Rejects at the first refusal, for a caller that can take its promise back. The batch is written all
   * the same, later and in its place: what comes behind it may build on it.
   * @param onDurable called once it is written, then or later
   * @throws LedgerError
   */
  writeOrReport(batch: WriteBatch, onDurable: () => void): Promise<void> {
    return this.#options.ledger.write(batch).then(onDurable, (error: unknown) => {
      this.#giveUpIfHopeless(error);
      void this.#enqueue(batch).then(onDurable);
      throw error;
    });
  }

  /** Gives up retrying; what waits stays unwritten. */
  stop(): void {
    this.#stopped = true;
  }

  #enqueue(batch: WriteBatch): Promise<void> {
    return new Promise((resolve) => {
      this.#backlog.push({ batch, resolve });
      void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    let failures = 0;
    let wasRefused = true;
    let lastError: unknown;
    for (
      let next = this.#backlog[0];
      next !== undefined && failures < RETRY_BUDGET && !this.#stopped;
      next = this.#backlog[0]
    ) {
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
      // Once the ledger takes writes again nothing is gained by waiting, and admissions wait for the last.
      if (wasRefused) await this.#sleep(pause * (0.5 + this.#options.random() / 2));
      try {
        await this.#options.ledger.write(next.batch);
        this.#backlog.shift();
        failures = 0;
        wasRefused = false;
        next.resolve();
      } catch (error) {
        failures += 1;
        wasRefused = true;
        lastError = error;
      }
    }
    this.#draining = false;
    if (this.#backlog.length > 0 && !this.#stopped) this.#options.onFatal(lastError);
  }

  /** What no later try can mend ends the daemon at once. */
  #giveUpIfHopeless(error: unknown): void {
    if (this.#stopped || !(error instanceof LedgerError)) return;
    if (error.code === 'invalid' || error.code === 'failed') this.#options.onFatal(error);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.setTimer(ms, resolve);
    });
  }
}
