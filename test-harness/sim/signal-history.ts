/**
 * Engine metrics as a scraper sees them: sampled at whole periods, one period on the way, so
 * between one and two periods old.
 */
import type { EngineSignals } from './replica-types.ts';

interface Sample extends EngineSignals {
  readonly sinceMs: number;
}

export class SignalHistory {
  readonly #periodMs: number;
  /** Changes, oldest first; the first one may be older than any scrape still asks for. */
  readonly #changes: Sample[] = [{ sinceMs: -Infinity, running: 0, waiting: 0, kvTokens: 0 }];

  /** @param periodMs 0 makes `at` exact */
  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** Takes note of what holds from `nowMs` on. */
  record(nowMs: number, actual: EngineSignals): void {
    if (this.#periodMs === 0) return;
    const { running, waiting, kvTokens } = actual;
    const last = this.#changes.at(-1);
    if (last?.running === running && last.waiting === waiting && last.kvTokens === kvTokens) {
      return;
    }
    this.#changes.push({ sinceMs: nowMs, running, waiting, kvTokens });
    const oldestAskedMs = nowMs - 2 * this.#periodMs;
    while ((this.#changes[1]?.sinceMs ?? Infinity) <= oldestAskedMs) this.#changes.shift();
  }

  at(nowMs: number, actual: EngineSignals): EngineSignals {
    if (this.#periodMs === 0) {
      return { running: actual.running, waiting: actual.waiting, kvTokens: actual.kvTokens };
    }
    const sampledMs = (Math.floor(nowMs / this.#periodMs) - 1) * this.#periodMs;
    const seen = this.#changes.findLast(({ sinceMs }) => sinceMs <= sampledMs);
    return seen ?? { running: 0, waiting: 0, kvTokens: 0 };
  }
}
