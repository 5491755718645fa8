/**
 * Hands out the memory of this host to engines that want to start: those that start at the same time
 * must not count on the same bytes, and a start that ran out of memory teaches what the next one needs.
 */
import { withDeadline } from './deadline.ts';
import {
  demandsOf,
  isMeasurable,
  learnedFloor,
  memoryNeed,
  shortage,
  unequalSplit,
} from './headroom.ts';
import type { BytesAt, ModelSize, Place } from './headroom.ts';
import type { MemoryProbe, MemoryReading } from './memory-probe.ts';
import type { PoolSettings } from './pool-config.ts';
import type { Clock } from './ports.ts';

/** @returns undefined for a file that cannot be read, or is none */
export type MeasureModel = (path: string) => Promise<ModelSize | undefined>;

export type Verdict =
  /** `isKnown`: the memory was there when looked at; else nobody could tell. */
  | { readonly kind: 'granted'; readonly isKnown: boolean }
  /** May change by itself. */
  | { readonly kind: 'short'; readonly detail: string }
  /** Only an operator can change it. */
  | { readonly kind: 'unsplittable'; readonly detail: string };

const UNKNOWN: MemoryReading = { hostFreeBytes: undefined, gpus: undefined };
/** What was learned of one failure: others may have taken the memory then. After this it is tried again, ms. */
const LESSON_MS = 600_000;
/** Not knowing is no reason to keep an engine waiting. */
const PROBE_MS = 3000;

export class MemoryDesk {
  readonly #probe: MemoryProbe;
  readonly #measure: MeasureModel;
  readonly #clock: Clock;
  /** What starting replicas were promised, by replica. */
  readonly #promised = new Map<string, BytesAt>();
  /** By what is started: the pool and its model. */
  readonly #learned = new Map<string, { readonly floors: BytesAt; readonly atMs: number }>();

  constructor(probe: MemoryProbe, measure: MeasureModel, clock: Clock) {
    this.#probe = probe;
    this.#measure = measure;
    this.#clock = clock;
  }

  /** Whether a replica may start. When granted, its memory is promised until `settle`. */
  async ask(replicaId: string, pool: PoolSettings): Promise<Verdict> {
    const [reading, bytes] = await Promise.all([this.reading(), this.#need(pool)]);
    const detail = unequalSplit(pool, reading);
    if (detail !== undefined) return { kind: 'unsplittable', detail };
    // The operator says so: neither what it needs nor what was learned of it is held against it.
    if (pool.memoryBytes === 0) return { kind: 'granted', isKnown: true };
    const demands = demandsOf(pool, bytes ?? 0, reading);
    const promised = this.#promisedToOthers(replicaId);
    const lacking = shortage(demands, reading, promised, this.#floorsOf(pool));
    if (lacking !== undefined) return { kind: 'short', detail: lacking };
    this.#promised.set(replicaId, new Map(demands.map((each) => [each.place, each.bytes])));
    return { kind: 'granted', isKnown: bytes !== undefined && isMeasurable(demands, reading) };
  }

  /** The replica holds its memory, or has given up: either way the probe tells the truth again. */
  settle(replicaId: string): void {
    this.#promised.delete(replicaId);
  }

  /** An engine ran out of memory and is gone: the next start needs more than is free now. */
  async learn(pool: PoolSettings, where: 'host' | 'gpu'): Promise<void> {
    const reading = await this.reading();
    const floors = new Map(this.#floorsOf(pool));
    const places: readonly Place[] =
      where === 'host' ? ['host'] : demandsOf(pool, 0, reading).map(({ place }) => place);
    for (const place of places) {
      const floor = learnedFloor(place, reading);
      if (floor !== undefined) floors.set(place, floor);
    }
    this.#learned.set(keyOf(pool), { floors, atMs: this.#clock.now() });
  }

  /** An engine started after all. */
  unlearn(pool: PoolSettings): void {
    this.#learned.delete(keyOf(pool));
  }

  reading(): Promise<MemoryReading> {
    return withDeadline(this.#clock, PROBE_MS, undefined, () => this.#probe.read()).catch(
      () => UNKNOWN,
    );
  }

  async #need(pool: PoolSettings): Promise<number | undefined> {
    const { modelPath } = pool;
    return memoryNeed(pool, modelPath === undefined ? undefined : await this.#measure(modelPath));
  }

  #floorsOf(pool: PoolSettings): BytesAt {
    const learned = this.#learned.get(keyOf(pool));
    const isFresh = learned !== undefined && this.#clock.now() - learned.atMs < LESSON_MS;
    return isFresh ? learned.floors : new Map();
  }

  #promisedToOthers(replicaId: string): BytesAt {
    const sums = new Map<Place, number>();
    for (const [other, promised] of this.#promised) {
      if (other === replicaId) continue;
      for (const [place, bytes] of promised) sums.set(place, (sums.get(place) ?? 0) + bytes);
    }
    return sums;
  }
}

function keyOf({ id, modelPath }: PoolSettings): string {
  return JSON.stringify([id, modelPath]);
}
