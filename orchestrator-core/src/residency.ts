/**
 * Pools that share devices: what each needs of them, whether its model is there, and since when its
 * tasks wait for it. Nothing of this is durable; after a restart the daemon tells anew what is loaded.
 */
import type { PoolState } from './state.ts';

/** What a pool needs to be loaded, and how long it may keep others, or be kept, from it. */
export interface ResidencySpec {
  /** Devices that it occupies while it is loaded. */
  readonly devices: readonly string[];
  /** Part of each of these devices that it takes, above 0 and at most 1. */
  readonly share: number;
  /** It is unloaded when nobody has used it for this long, ms; undefined: only to make room. */
  readonly keepAliveMs: number | undefined;
  /** Once loaded it stays at least so long while it has work, ms. */
  readonly minResidencyMs: number;
  /** When its tasks have waited this long for it to be loaded, others must make room, ms. */
  readonly maxWaitMs: number;
  /** How long it takes to load, until that was seen, ms. */
  readonly loadMs: number;
}

/**
 * `leaving`: gets no new work and is unloaded when what runs has ended. `loading`, `unloading`: asked
 * for and not reported yet.
 */
export type ResidencyPhase = 'unloaded' | 'loading' | 'loaded' | 'leaving' | 'unloading';

/** Weight of the latest load in what is expected of the next. */
const LOAD_WEIGHT = 0.5;

export class Residency {
  spec: ResidencySpec;
  /** Room is made for it: what becomes free of its devices is its own. */
  isClaiming = false;
  /** Since when tasks wait for it to be loaded; undefined while it is, or nobody waits. */
  unservedSinceMs: number | undefined;
  /** When it last had work. */
  usedAtMs = 0;
  /** What it has when it is loaded, as last seen. */
  slots = 1;
  replicas = 1;
  /** What it has in the cache is saved when it is unloaded, and there again when it is loaded; as last seen. */
  keepsCache = false;
  #phase: ResidencyPhase = 'unloaded';
  #sinceMs = 0;
  #loadMs: number | undefined;

  constructor(spec: ResidencySpec) {
    this.spec = spec;
  }

  get phase(): ResidencyPhase {
    return this.#phase;
  }

  /** When it entered its phase. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Expected time from the order to load until a replica is ready, ms. */
  get loadMs(): number {
    return this.#loadMs ?? this.spec.loadMs;
  }

  /** It holds its share of the devices, or is about to. */
  get isOccupying(): boolean {
    return this.#phase !== 'unloaded';
  }

  enter(phase: ResidencyPhase, nowMs: number): void {
    if (phase === this.#phase) return;
    if (phase === 'loaded' && this.#phase === 'loading') this.#learn(nowMs - this.#sinceMs);
    // One that was to leave and stays has been there all the time.
    if (!(phase === 'loaded' && this.#phase === 'leaving')) this.#sinceMs = nowMs;
    if (phase === 'loading' || phase === 'loaded') this.isClaiming = false;
    if (phase === 'loaded') this.usedAtMs = nowMs;
    this.#phase = phase;
  }

  #learn(tookMs: number): void {
    const before = this.#loadMs ?? tookMs;
    this.#loadMs = before + LOAD_WEIGHT * (tookMs - before);
  }
}

/** Work that waits in a pool: how much it counts for, and how long its replicas would take, ms. */
export interface Backlog {
  /** Tasks, a batch task counting as its class's weight against an interactive one. */
  readonly weight: number;
  readonly serviceMs: number;
}

export function backlogOf({ spec, queue, model, residency }: PoolState): Backlog {
  const { interactive, batch } = spec?.classWeights ?? { interactive: 1, batch: 1 };
  const weight = queue.sizeOf('interactive') + (queue.sizeOf('batch') * batch) / interactive;
  return { weight, serviceMs: (queue.size * model.holdMs) / (residency?.slots ?? 1) };
}

/** Whether tasks wait that could start if the model were there: those of a drained pool could not. */
export function hasDemand({ queue, drainDeadlineAtMs }: PoolState): boolean {
  return queue.size > 0 && drainDeadlineAtMs === undefined;
}

/** Whether nothing runs there, and nothing would. */
export function isIdle(pool: PoolState): boolean {
  return pool.held.count === 0 && !hasDemand(pool);
}

/** Whether the pool takes no dispatches because its model is not there, or is about to go. */
export function isNotLoaded({ residency }: PoolState): boolean {
  return residency !== undefined && residency.phase !== 'loaded';
}
