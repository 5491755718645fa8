/**
 * Persists task logs while they grow: small batches on a shared beat, so that two hundred streams cost
 * one ledger write per beat and no timer of their own.
 */
import type { Clock } from '../clock.ts';
import type { TranscriptChunk } from '../ledger/types.ts';
import type { DurableWriter } from './durable-writer.ts';
import type { TaskLog } from './task-log.ts';

export interface TranscriptWriterOptions {
  readonly writer: DurableWriter;
  readonly clock: Clock;
  /** Longest time a visible token of a strict task stays only in memory, ms. */
  readonly intervalMs: number;
}

/** A log that grew by this many entries at once is written without waiting for the beat. */
const EAGER_ENTRIES = 256;

export class TranscriptWriter {
  readonly #options: TranscriptWriterOptions;
  readonly #dirty = new Map<string, TaskLog>();
  #cancelBeat: (() => void) | undefined;

  constructor(options: TranscriptWriterOptions) {
    this.#options = options;
  }

  /** Notes that a log grew. A `durableFirst` log is written at once: its readers are waiting. */
  touch(taskId: string, log: TaskLog, appended: number): void {
    if (log.durableFirst || appended >= EAGER_ENTRIES || log.saturated) {
      void this.flush(taskId, log);
      return;
    }
    this.#dirty.set(taskId, log);
    this.#cancelBeat ??= this.#options.clock.setTimer(this.#options.intervalMs, () => {
      void this.flushAll();
    });
  }

  /** Writes what a log has not written yet; resolves when it is durable. */
  async flush(taskId: string, log: TaskLog): Promise<void> {
    const chunk = this.take(taskId, log);
    if (chunk === undefined) return;
    await this.#options.writer.write({ transcripts: [chunk] });
    log.markPersisted(lastIdOf(chunk));
  }

  /** Takes what a log has not written yet, for a caller that writes it along with something else. */
  take(taskId: string, log: TaskLog): TranscriptChunk | undefined {
    this.#dirty.delete(taskId);
    const unflushed = log.takeUnflushed();
    return unflushed === undefined ? undefined : { taskId, ...unflushed };
  }

  /** Writes everything that waits for the beat, in one write. */
  async flushAll(): Promise<void> {
    this.#cancelBeat?.();
    this.#cancelBeat = undefined;
    const chunks: TranscriptChunk[] = [];
    const logs: TaskLog[] = [];
    for (const [taskId, log] of [...this.#dirty]) {
      const chunk = this.take(taskId, log);
      if (chunk === undefined) continue;
      chunks.push(chunk);
      logs.push(log);
    }
    if (chunks.length === 0) return;
    await this.#options.writer.write({ transcripts: chunks });
    for (const [at, log] of logs.entries()) {
      const chunk = chunks[at];
      if (chunk !== undefined) log.markPersisted(lastIdOf(chunk));
    }
  }
}

/** The id of a chunk's last entry. */
export function lastIdOf(chunk: TranscriptChunk): number {
  return chunk.firstId + chunk.entries.length - 1;
}
