/**
 * How fast a pool frees places, measured: the mean time between two of them while more work waits.
 * What a pool does while it has room tells nothing of that, so gaps with idle time in them are left out.
 */
import { fieldsOf, isCount, isWithin } from './saved-values.ts';

/** Weight of the model at first, in samples; it fades as fast as samples come. */
const MODEL_WEIGHT = 4;
const MEMORY_SAMPLES = 32;
/** A gap counts at most as so many mean ones, so that one stall does not outweigh the rest. */
const LONGEST_GAP = 8;

/** What a model says before anything was measured. */
export interface HoldModel {
  /** How long a task holds a place, ms. */
  readonly holdMs: number;
  readonly slots: number;
}

/** Without the gap that was open: who loads this may have been down for most of it. */
export interface SavedDrain {
  readonly gapMs: number;
  readonly samples: number;
}

export class DrainRate {
  #gapMs = 0;
  #samples = 0;
  /** The last time a place was freed with more work waiting for the next one. */
  #sinceMs: number | undefined;

  /** A place became free. `waiting`: other work took it at once and the pool stays full. */
  freed(nowMs: number, waiting: boolean): void {
    if (this.#sinceMs !== undefined) this.#observe(Math.max(0, nowMs - this.#sinceMs));
    this.#sinceMs = waiting ? nowMs : undefined;
  }

  /** Time until `places` more become free in a pool that is full, ms; above 0 and finite. */
  msUntilFree(places: number, nowMs: number, model: HoldModel): number {
    const modelledMs = Math.max(1, model.holdMs) / Math.max(1, model.slots);
    const measured = Math.min(this.#samples, MEMORY_SAMPLES);
    const elapsedMs = this.#sinceMs === undefined ? 0 : Math.max(0, nowMs - this.#sinceMs);
    // A time without any place freed says that the gaps grow, as it would once it ends.
    const longMs = measured === 0 ? 0 : Math.max(0, elapsedMs - this.#gapMs);
    const weight = MODEL_WEIGHT / (1 + this.#samples);
    const gapMs = (weight * modelledMs + measured * this.#gapMs + longMs) / (weight + measured);
    const firstMs = Math.max(gapMs / 2, gapMs - elapsedMs);
    return firstMs + Math.max(0, places - 1) * gapMs;
  }

  save(): SavedDrain {
    return { gapMs: this.#gapMs, samples: this.#samples };
  }

  /** @returns false, keeping its state, when `saved` is nothing that one could have saved */
  load(saved: unknown): boolean {
    const { gapMs, samples } = fieldsOf(saved);
    if (!isWithin(gapMs, 0, Number.MAX_SAFE_INTEGER) || !isCount(samples)) return false;
    this.#gapMs = gapMs;
    this.#samples = samples;
    this.#sinceMs = undefined;
    return true;
  }

  #observe(gapMs: number): void {
    const most = this.#samples < MODEL_WEIGHT ? Infinity : LONGEST_GAP * Math.max(1, this.#gapMs);
    this.#samples += 1;
    const weight = 1 / Math.min(MEMORY_SAMPLES, this.#samples);
    this.#gapMs += weight * (Math.min(gapMs, most) - this.#gapMs);
  }
}
