/**
 * Which replica runs a task, and whether it is worth waiting for. Filters say where it may run, an
 * estimate of the time to the first token says where it should: the work before it, its own prompt less
 * what the replica's cache holds of it. Session affinity, prefix reuse and load balance all follow from
 * that one number (ORCH-3008, 3009, 3091).
 */
import type { PassOver } from './decision.ts';
import { deadlineNeedMs } from './estimate.ts';
import { sessionOf } from './session-index.ts';
import type { Tuning } from './tuning.ts';
import type { CoreState, PoolState, ReplicaRecord, TaskRecord } from './state.ts';
import type { ReplicaLoad } from './replica-load.ts';
import type { Candidate } from './seats.ts';
import { ABOUT_MS, blockAt, blockOf, isHard, keepBest, seatsOf, isLongerAgo } from './seats.ts';
import { runningOn } from './state.ts';

/** A replica as one task sees it. */
export interface Prospect {
  readonly replicaId: string;
  readonly replica: ReplicaRecord;
  /** Why it cannot take the task now; undefined when it can. */
  readonly block: PassOver | undefined;
  /** Time to the first token from now, waiting for the replica included, ms. */
  readonly firstTokenMs: number;
  /** Of that, the work of tasks that are planned to go there before it, ms. */
  readonly promisedMs: number;
  /** The time that its own prompt takes, ms. */
  readonly prefillMs: number;
  readonly cachedTokens: number;
  readonly uncachedTokens: number;
  /** What placement minimises: lower is better. */
  readonly score: number;
}

export interface Placement {
  /** Where to run it now, or undefined: it waits for a better replica than any that is open. */
  readonly choice: Prospect | undefined;
  /** The one it waits for. */
  readonly heldFor: Prospect | undefined;
}

/**
 * Work that tasks looked at before will bring to the replicas they wait for, ms by replica: whoever
 * comes after them must not count on the same place.
 */
export type Promised = Map<string, number>;

/** Replicas that are worked out in full for a task of which they have nothing cached. */
const MAX_COLD = 4;
/** A replica that keeps the deadline goes before any that does not. */
const MISS_PENALTY_MS = 1e7;

/**
 * The best replica for the task, busy ones included: one that has most of the prompt in its cache may
 * be quicker after a wait than an idle one now.
 * @param seats the replicas at this moment, for who places several tasks
 */
export function placeTask(
  state: CoreState,
  pool: PoolState,
  task: TaskRecord,
  promised: Promised,
  nowMs: number,
  seats = seatsOf(pool, nowMs),
): Placement {
  const hits = hitsOf(pool, task);
  const homeId = sessionOf(state, task)?.replicaId;
  let best: Prospect | undefined;
  const consider = (replicaId: string, replica: ReplicaRecord, block: PassOver | undefined) => {
    const prospect = prospectOf(state, pool, task, replicaId, replica, block, promised, nowMs);
    if (best === undefined || isBetter(pool, task, prospect, best)) best = prospect;
  };
  const considerWarm = (replicaId: string) => {
    const replica = pool.replicas.get(replicaId);
    const block = replica && blockOf(pool, task, replicaId, replica, nowMs);
    if (replica !== undefined && !isHard(block)) consider(replicaId, replica, block);
  };
  const isWarm = (replicaId: string) => replicaId === homeId || hits?.has(replicaId) === true;
  for (const replicaId of hits?.keys() ?? []) considerWarm(replicaId);
  if (homeId !== undefined && hits?.has(homeId) !== true) considerWarm(homeId);

  const cold: Candidate[] = [];
  const tokens = task.estimate.promptTokens;
  for (const seat of seats.all) {
    const worst = cold.length < MAX_COLD ? Infinity : (cold.at(-1)?.score ?? Infinity);
    if (seat.drainMs + tokens * seats.leastMsPerToken > worst + ABOUT_MS) break;
    const ownMs = tokens * seat.msPerToken;
    if (seat.drainMs + ownMs > worst + ABOUT_MS) continue;
    const promisedMs = promised.get(seat.replicaId) ?? 0;
    if (promisedMs + seat.drainMs + ownMs > worst + ABOUT_MS) continue;
    if (isWarm(seat.replicaId)) continue;
    const block = blockAt(pool, seat, task);
    if (isHard(block)) continue;
    const endMs = block === undefined ? 0 : untilEndMs(pool, task, seat.replica, block, nowMs);
    const freeMs = promisedMs + Math.max(seat.drainMs, endMs);
    keepBest(cold, { seat, block, score: freeMs + ownMs }, MAX_COLD);
  }
  for (const { seat, block } of cold) consider(seat.replicaId, seat.replica, block);
  return best?.block === undefined
    ? { choice: best, heldFor: undefined }
    : { choice: undefined, heldFor: best };
}

/** Tokens of the prompt by replica that has some; kept while the task waits. */
export function hitsOf(
  pool: PoolState,
  { spec, waiting }: TaskRecord,
): ReadonlyMap<string, number> | undefined {
  if (spec.prefix === undefined) return undefined;
  const hits = waiting?.hits ?? { asOf: -Infinity, tokens: new Map<string, number>() };
  if (waiting !== undefined) waiting.hits = hits;
  pool.prefixes.refresh(spec.prefix, hits);
  return hits.tokens;
}

export function prospectOf(
  state: CoreState,
  pool: PoolState,
  task: TaskRecord,
  replicaId: string,
  replica: ReplicaRecord,
  blocked: PassOver | undefined,
  promised: Promised,
  nowMs: number,
): Prospect {
  const { load } = replica;
  const { promptTokens } = task.estimate;
  const cachedTokens = reusesCache(task, replica)
    ? cachedOn(state, pool, task, replicaId, promptTokens)
    : 0;
  const uncachedTokens = promptTokens - cachedTokens;
  const prefillMs = load.prefillMs(uncachedTokens, cachedTokens, nowMs);
  const promisedMs = promised.get(replicaId) ?? 0;
  const isBehindOthers =
    promisedMs > 0 ||
    !mayBind(pool, load, uncachedTokens, nowMs) ||
    (cachedTokens > 0 && awaitsCache(task, load));
  const slotMs = untilEndMs(pool, task, replica, blocked, nowMs);
  const firstTokenMs =
    promisedMs +
    Math.max(slotMs + prefillMs, load.firstTokenMs(uncachedTokens, cachedTokens, nowMs));
  return {
    replicaId,
    replica,
    block: blocked ?? (isBehindOthers ? 'prefilling' : undefined),
    firstTokenMs,
    promisedMs,
    prefillMs,
    cachedTokens,
    uncachedTokens,
    score:
      firstTokenMs -
      doubtMs(state, pool, replica, prefillMs, uncachedTokens, cachedTokens) +
      workScore(state.tuning, pool.model.prefillMs(uncachedTokens, cachedTokens)) +
      evictionMs(state, pool, task, replica) +
      (missesDeadline(task, firstTokenMs, nowMs) ? MISS_PENALTY_MS : 0),
  };
}

/**
 * What a new session costs one that has its KV there: engines whose slots hold a sequence each forget the
 * least recently used. Without it the next turns of both are computed anew, turn after turn, while
 * another replica has slots to spare. (Preble, ICLR 2025, weighs load against eviction likewise.)
 */
function evictionMs(
  state: CoreState,
  pool: PoolState,
  task: TaskRecord,
  replica: ReplicaRecord,
): number {
  const { replicaId, slots } = replica.view;
  const held = pool.sessionsByReplica.get(replicaId);
  const { sessionId } = task.spec;
  if (sessionId === undefined || held === undefined || held.size < slots) return 0;
  if (held.has(sessionId) || !reusesCache(task, replica)) return 0;
  const [oldest = ''] = held;
  return pool.model.prefillMs(state.sessions.get(oldest)?.kvTokens ?? 0, 0);
}

function missesDeadline(task: TaskRecord, firstTokenMs: number, nowMs: number): boolean {
  const { deadlineAtMs } = task.spec;
  return deadlineAtMs !== undefined && nowMs + deadlineNeedMs(task, firstTokenMs) > deadlineAtMs;
}

/**
 * What is known of a replica fades while it gets no work, and is little after its first prompts: an idle
 * one that is thought slow is given the benefit of the doubt, up to the mean of its pool. Else it would
 * never be asked again, and never be found to be as fast as the others.
 */
function doubtMs(
  { tuning }: CoreState,
  pool: PoolState,
  { load, lastTurn }: ReplicaRecord,
  prefillMs: number,
  uncachedTokens: number,
  cachedTokens: number,
): number {
  if (!load.isIdle) return 0;
  // What it did last tells more than what the model, which moves slowly, has made of it.
  const ownMs = prefillMs * Math.min(1, load.lastRatio);
  const excessMs = ownMs - pool.model.prefillMs(uncachedTokens, cachedTokens);
  if (excessMs <= 0) return prefillMs - ownMs;
  const experience = Math.min(1, load.model.samples / tuning.trustSamples);
  const fade = Math.max(0, 1 - (pool.journal.count - lastTurn) / tuning.trustTurns);
  return prefillMs - ownMs + excessMs * (1 - experience * fade);
}

/**
 * Late binding: behind other prompts it would only wait at the engine, where nothing more urgent can
 * pass it, and two prompts in one step both end with the step. So it waits here until the next step
 * is its own, or so small a part of it that nobody minds.
 */
function mayBind(
  pool: PoolState,
  load: ReplicaLoad,
  uncachedTokens: number,
  nowMs: number,
): boolean {
  if (load.outlook(nowMs).bindInMs <= 0) return true;
  return load.mayJoin(uncachedTokens, Math.max(1, pool.queue.size), nowMs);
}

/** Whether what it is to find in the cache is being computed for another. */
function awaitsCache({ spec }: TaskRecord, load: ReplicaLoad): boolean {
  return spec.prefix !== undefined && load.prefilling > 0 && load.pending.hasPartOf(spec.prefix);
}

/**
 * What prefill counts beyond its part of the time to the first token: the time that those who come next
 * do not have to wait. Of a very long one only a part, as it would hold even short prompts for a warm
 * replica for many seconds.
 */
function workScore({ workWeight, longPrefillMs }: Tuning, prefillMs: number): number {
  const shortMs = Math.min(prefillMs, longPrefillMs);
  return workWeight * shortMs + (prefillMs - shortMs);
}

/** Expected time until something that runs there ends and lifts the block, ms. */
export function untilEndMs(
  pool: PoolState,
  task: TaskRecord,
  { load, view }: ReplicaRecord,
  block: PassOver | undefined,
  nowMs: number,
): number {
  const { holdMs } = pool.model;
  const kept = pool.alone.get(view.replicaId);
  // It waits, and runs alone, before anybody else does.
  const keptMs = kept === undefined || kept === task || kept.running ? 0 : kept.estimate.holdMs;
  const untilIdleMs = () => Math.min(load.msUntilFreed(load.reservedTokens, nowMs), 10 * holdMs);
  switch (block) {
    case 'no-slot':
      return keptMs > 0 ? untilIdleMs() + keptMs : load.msUntilAnyEnds(holdMs, nowMs);
    case 'not-idle':
      return untilIdleMs() + keptMs;
    case 'no-kv-room': {
      const { promptTokens, outputTokens } = task.estimate;
      const lacking = load.reservedTokens + promptTokens + outputTokens - (view.kvTokens ?? 0);
      return Math.min(load.msUntilFreed(lacking, nowMs), 10 * holdMs);
    }
    case 'anti-affinity':
      return holdMs;
    default:
      return 0;
  }
}

/** Whether the engine would use what it has cached of the prompt. */
export function reusesCache({ spec }: TaskRecord, { view }: ReplicaRecord): boolean {
  return spec.kvHint === 'reuse' && (!spec.rerunnable || view.exactPrefixReuse !== false);
}

/** Prompt tokens that the replica is believed to hold already; at least one is always computed. */
function cachedOn(
  state: CoreState,
  pool: PoolState,
  task: TaskRecord,
  replicaId: string,
  promptTokens: number,
): number {
  const session = sessionOf(state, task);
  const ofSession =
    session?.poolId === pool.poolId && session.replicaId === replicaId ? session.kvTokens : 0;
  const ofPrefix = hitsOf(pool, task)?.get(replicaId) ?? 0;
  return Math.max(0, Math.min(promptTokens - 1, Math.max(ofSession, ofPrefix)));
}

/**
 * Scores closer than the error of the estimate are equal: then an open one, what is cached, the load, and
 * the one that was not given work for longest, whose cache holds what is least likely to be asked for again.
 */
export function isBetter(pool: PoolState, task: TaskRecord, a: Prospect, b: Prospect): boolean {
  const avoided = task.avoidReplicaId;
  if (a.replicaId === avoided && b.block === undefined) return false;
  if (b.replicaId === avoided && a.block === undefined) return true;
  const [scoreA, scoreB] = [penalised(a, task), penalised(b, task)];
  if (Math.abs(scoreA - scoreB) > 1 + 0.01 * Math.min(scoreA, scoreB)) return scoreA < scoreB;
  const isOpen = (prospect: Prospect) => prospect.block === undefined;
  if (isOpen(a) !== isOpen(b)) return isOpen(a);
  if (a.cachedTokens !== b.cachedTokens) return a.cachedTokens > b.cachedTokens;
  const difference = shareOf(pool, a) - shareOf(pool, b);
  return difference === 0 ? isLongerAgo(a, b) : difference < 0;
}

function shareOf(pool: PoolState, { replicaId, replica }: Prospect): number {
  return runningOn(pool, replicaId) / Math.max(1, replica.view.slots);
}

/** A busy replica where its last attempt failed is not waited for. */
function penalised({ replicaId, score, block }: Prospect, task: TaskRecord): number {
  return replicaId === task.avoidReplicaId && block !== undefined ? score + 1e9 : score;
}

export const NOTHING: Promised = new Map();
