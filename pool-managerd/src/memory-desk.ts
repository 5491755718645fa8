/**
 * Hands out the memory of this host to engines that want to start: those that start at the same time
 * must not count on the same bytes, and a start that ran out of memory teaches what the next one needs.
 */
import { withDeadline } from './deadline.ts';
import { demandsOf, learnedFloor, memoryNeed, shortage, unequalSplit } from './headroom.ts';
import type { ModelSize, Place } from './headroom.ts';
import type { MemoryProbe, MemoryReading } from './memory-probe.ts';
import type { PoolSettings } from './pool-config.ts';
import type { Clock } from './ports.ts';

/** @returns undefined for a file that cannot be read, or is none */
export type MeasureModel = (path: string) => Promise<ModelSize | undefined>;

export type Verdict =
  | { readonly kind: 'granted' }
  /** May change by itself. */
  | { readonly kind: 'short'; readonly detail: string }
  /** Only an operator can change it. */
  | { readonly kind: 'unsplittable'; readonly detail: string };

const GRANTED: Verdict = { kind: 'granted' };
const UNKNOWN: MemoryReading = { hostFreeBytes: undefined, gpus: undefined };
/** Not knowing is no reason to keep an engine waiting. */
const PROBE_MS = 3000;

export class MemoryDesk {
  readonly #probe: MemoryProbe;
  readonly #measure: MeasureModel;
  readonly #clock: Clock;
  /** What starting replicas were promised, by replica. */
  readonly #promised = new Map<string, ReadonlyMap<Place, number>>();
  /** By what is started: the pool and its model. */
  readonly #learned = new Map<string, Map<Place, number>>();

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
    const demands = demandsOf(pool, bytes ?? 0, reading);
    const learned = this.#learned.get(keyOf(pool)) ?? new Map<Place, number>();
    const lacking = shortage(demands, reading, this.#promisedToOthers(replicaId), learned);
    if (lacking !== undefined) return { kind: 'short', detail: lacking };
    this.#promised.set(replicaId, new Map(demands.map((each) => [each.place, each.bytes])));
    return GRANTED;
  }

  /** The replica holds its memory, or has given up: either way the probe tells the truth again. */
  settle(replicaId: string): void {
    this.#promised.delete(replicaId);
  }

  /** An engine ran out of memory and is gone: the next start needs more than is free now. */
  async learn(pool: PoolSettings, where: 'host' | 'gpu'): Promise<void> {
    const reading = await this.reading();
    const floors = this.#learned.get(keyOf(pool)) ?? new Map<Place, number>();
    this.#learned.set(keyOf(pool), floors);
    const places: readonly Place[] =
      where === 'host' ? ['host'] : demandsOf(pool, 0, reading).map(({ place }) => place);
    for (const place of places) {
      const floor = learnedFloor(place, reading);
      if (floor !== undefined) floors.set(place, floor);
    }
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

  #promisedToOthers(replicaId: string): ReadonlyMap<Place, number> {
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
