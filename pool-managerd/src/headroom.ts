/**
 * Whether the memory there is holds one more engine (ORCH-3003). Pure: what a pool needs, where it
 * needs it, and what is missing there.
 */
import { gpusOf } from './device-mask.ts';
import type { GpuReading, MemoryReading } from './memory-probe.ts';
import type { PoolSettings } from './pool-config.ts';

/** What a model file tells of the memory it takes. */
export interface ModelSize {
  readonly bytes: number;
  /** KV of one token at f16, bytes; 0 when unknown. */
  readonly kvBytesPerToken: number;
}

/** Where memory is: `host`, or the index of a GPU. */
export type Place = 'host' | number;

export interface Demand {
  readonly place: Place;
  readonly bytes: number;
}

/** Bytes by place. */
export type BytesAt = ReadonlyMap<Place, number>;

/** Compute buffers, the engine's own code, fragments. */
const MARGIN = 1.1;
/** Totals that are this much alike are the same kind of GPU. */
const EQUAL_WITHIN = 0.05;
const GIB = 1024 ** 3;

type Sizing = Pick<PoolSettings, 'memoryBytes' | 'ctx' | 'slots'>;

/** Bytes that one replica takes: as configured, or the file and the KV of all its slots; undefined when unknown. */
export function memoryNeed(pool: Sizing, model: ModelSize | undefined): number | undefined {
  if (pool.memoryBytes !== undefined) return pool.memoryBytes === 0 ? undefined : pool.memoryBytes;
  if (model === undefined) return undefined;
  return Math.ceil(MARGIN * (model.bytes + model.kvBytesPerToken * pool.ctx * pool.slots));
}

/** The GPUs of the mask that the driver knows, in the order of the mask. */
export function maskedGpus(device: string, { gpus = [] }: MemoryReading): readonly GpuReading[] {
  return gpusOf(device).flatMap(
    (name) => gpus.find((gpu) => String(gpu.index) === name || gpu.uuid === name) ?? [],
  );
}

/**
 * The need by place: on the host for `cpu`, else on the GPUs of the mask in the ratios of the split,
 * weights and KV alike (ORCH-3052). Empty where the places are unknown.
 */
export function demandsOf(
  { device, tensorSplit }: Pick<PoolSettings, 'device' | 'tensorSplit'>,
  bytes: number,
  reading: MemoryReading,
): readonly Demand[] {
  if (device === 'cpu') return [{ place: 'host', bytes }];
  const gpus = maskedGpus(device, reading);
  if (gpus.length < gpusOf(device).length) return [];
  const ratios = tensorSplit ?? gpus.map(() => 1);
  const whole = ratios.reduce((sum, ratio) => sum + ratio, 0);
  return gpus.map(({ index }, at) => ({
    place: index,
    bytes: Math.ceil((bytes * (ratios[at] ?? 0)) / whole),
  }));
}

/** Whether it is known of every place how much is free there. */
export function isMeasurable(demands: readonly Demand[], reading: MemoryReading): boolean {
  return demands.length > 0 && demands.every(({ place }) => freeAt(place, reading) !== undefined);
}

/**
 * What stands in the way of a start, in words; undefined when nothing does.
 * @param promised to replicas that are starting and may not have taken it yet
 * @param learned more than this must be free, since a start with so little failed
 */
export function shortage(
  demands: readonly Demand[],
  reading: MemoryReading,
  promised: BytesAt,
  learned: BytesAt,
): string | undefined {
  for (const { place, bytes } of demands) {
    const freeBytes = freeAt(place, reading);
    if (freeBytes === undefined) continue;
    const taken = promised.get(place) ?? 0;
    const floor = learned.get(place) ?? 0;
    if (Math.max(bytes, floor) + taken <= freeBytes) continue;
    const where = place === 'host' ? 'on the host' : `on GPU ${place}`;
    const why = floor > bytes ? ', since a start with less ran out of memory' : '';
    const others = taken > 0 ? `, ${gib(taken)} of them promised to others` : '';
    const need = gib(Math.max(bytes, floor));
    return `not enough memory ${where}: ${need} needed${why}, ${gib(freeBytes)} free${others}`;
  }
  return undefined;
}

/**
 * What the next start needs after one ran out of memory: a little more than was free for it. No more
 * than an all but empty device has, so that what others took for a moment cannot forbid it for ever.
 */
export function learnedFloor(place: Place, reading: MemoryReading): number | undefined {
  const freeBytes = freeAt(place, reading);
  if (freeBytes === undefined) return undefined;
  const total = reading.gpus?.find(({ index }) => index === place)?.totalBytes ?? Infinity;
  return Math.min(Math.ceil(1.02 * freeBytes), Math.floor(0.95 * total));
}

/** A split over GPUs of different sizes needs ratios that somebody has thought about (ORCH-3012). */
export function unequalSplit(
  { device, tensorSplit, command }: Pick<PoolSettings, 'device' | 'tensorSplit' | 'command'>,
  reading: MemoryReading,
): string | undefined {
  if (tensorSplit !== undefined || command.some(isSplitFlag)) return undefined;
  const totals = maskedGpus(device, reading).map(({ totalBytes }) => totalBytes);
  const [least, most] = [Math.min(...totals), Math.max(...totals)];
  if (totals.length < 2 || most - least <= EQUAL_WITHIN * most) return undefined;
  return `the GPUs of ${device} have ${totals.map(gib).join(' and ')}: a split over them needs tensor_split`;
}

/** llama-server's own flag for the ratios. */
function isSplitFlag(argument: string): boolean {
  return /^(?:-ts|--tensor-split)(?:$|=)/.test(argument);
}

function freeAt(place: Place, { hostFreeBytes, gpus }: MemoryReading): number | undefined {
  return place === 'host' ? hostFreeBytes : gpus?.find(({ index }) => index === place)?.freeBytes;
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(2)} GiB`;
}
