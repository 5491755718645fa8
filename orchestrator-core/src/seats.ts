/** The replicas of a pool as they are at one moment, and what keeps a task from them. */
import { runsAlone } from './alone.ts';
import { keysApart } from './apart.ts';
import type { PassOver } from './decision.ts';
import { slackNow } from './batch-room.ts';
import { sideOf, sideOfReplica } from './canary.ts';
import { hasLabels } from './lanes.ts';
import { NOMINAL_TOKENS, type ReplicaLoad } from './replica-load.ts';
import type { PoolState, ReplicaRecord, TaskRecord } from './state.ts';
import { runningOn } from './state.ts';

/** What is the same for every task, so that a pass over many works it out once. */
export interface Seat {
  readonly replicaId: string;
  readonly replica: ReplicaRecord;
  readonly isResting: boolean;
  readonly hasSlot: boolean;
  /** Of its slots that are in use. */
  readonly share: number;
  /** Time until the prompts that are there are done, ms. */
  readonly drainMs: number;
  /** Prefill of a prompt of some length, by the token, ms. */
  readonly msPerToken: number;
  /** What the interactive answers of a replica can spare for a batch prompt, ms. */
  readonly slackMs: (load: ReplicaLoad) => number;
}

export interface Seats {
  /** By `drainMs`, the least first. */
  readonly all: readonly Seat[];
  /** Least `msPerToken` of any. */
  readonly leastMsPerToken: number;
}

export function seatsOf(pool: PoolState, nowMs: number): Seats {
  const slackMs = slackNow(pool, nowMs);
  const usualMs = pool.model.prefillMs(NOMINAL_TOKENS, 0);
  const all: Seat[] = [];
  let leastMsPerToken = Infinity;
  for (const [replicaId, replica] of pool.replicas) {
    const { view, load, restsUntilMs } = replica;
    const running = runningOn(pool, replicaId);
    const prefillMs = load.nominalPrefillMs();
    // An idle one that is thought slow is looked at all the same.
    const msPerToken = (load.isIdle ? Math.min(prefillMs, usualMs) : prefillMs) / NOMINAL_TOKENS;
    leastMsPerToken = Math.min(leastMsPerToken, msPerToken);
    all.push({
      replicaId,
      replica,
      isResting: restsUntilMs > nowMs,
      hasSlot: running < view.slots,
      share: running / Math.max(1, view.slots),
      drainMs: load.outlook(nowMs).drainMs,
      msPerToken,
      slackMs,
    });
  }
  all.sort((a, b) => a.drainMs - b.drainMs);
  return { all, leastMsPerToken };
}

/** The first reason why the replica cannot take the task now. */
export function blockOf(
  pool: PoolState,
  task: TaskRecord,
  replicaId: string,
  replica: ReplicaRecord,
  nowMs: number,
): PassOver | undefined {
  const isResting = replica.restsUntilMs > nowMs;
  const hasSlot = runningOn(pool, replicaId) < replica.view.slots;
  const slackMs = slackNow(pool, nowMs);
  return blockAt(pool, { replica, isResting, hasSlot, slackMs }, task);
}

export function blockAt(
  pool: PoolState,
  {
    replica,
    isResting,
    hasSlot,
    slackMs,
  }: Pick<Seat, 'replica' | 'isResting' | 'hasSlot' | 'slackMs'>,
  task: TaskRecord,
): PassOver | undefined {
  const { view, load } = replica;
  const { placement } = task.spec;
  if (!view.ready) return 'not-ready';
  if (isResting) return 'resting';
  if (task.pinnedSetId !== undefined && task.pinnedSetId !== view.setId) return 'other-set';
  if (pool.canaryShare !== undefined) {
    const side = sideOf(pool, task);
    if (side !== undefined && side !== sideOfReplica(view)) return 'canary-share';
  }
  if (placement !== undefined) {
    if (placement.devices !== undefined && !placement.devices.includes(view.device ?? '')) {
      return 'device';
    }
    if (!hasLabels(view.labels, placement.labels)) return 'labels';
    if (placement.notOn === view.replicaId) return 'excluded';
    if (placement.on !== undefined && placement.on !== view.replicaId) return 'excluded';
  }
  for (const key of keysApart(task)) if (replica.keysApart.has(key)) return 'anti-affinity';
  const holder = pool.alone.get(view.replicaId);
  if (holder !== undefined && holder !== task) return 'no-slot';
  if (runsAlone(task, view) && runningOn(pool, view.replicaId) > 0) return 'not-idle';
  if (!hasSlot) return 'no-slot';
  if (view.kvTokens !== undefined && load.reservedTokens > 0) {
    const { promptTokens, outputTokens } = task.estimate;
    if (load.reservedTokens + promptTokens + outputTokens > view.kvTokens) return 'no-kv-room';
  }
  if (task.spec.priority === 'batch') {
    const spareMs = slackMs(load);
    if (spareMs < Infinity && spareMs < pool.batchRoom.costMs(task, load)) return 'kept-back';
  }
  return undefined;
}

/** Blocks that no amount of waiting at this replica lifts. */
const HARD_BLOCKS: ReadonlySet<PassOver> = new Set([
  'not-ready',
  'resting',
  'other-set',
  'canary-share',
  'device',
  'labels',
  'excluded',
]);

export function isHard(block: PassOver | undefined): boolean {
  return block !== undefined && HARD_BLOCKS.has(block);
}

/** A replica with about the score that it will have for some task: lower is better. */
export interface Candidate {
  readonly seat: Seat;
  readonly block: PassOver | undefined;
  readonly score: number;
}

/** Scores no further apart are about equal, ms. */
export const ABOUT_MS = 1;

/** Keeps the best few: of those about equal, the ones with the most slots free, then by id. */
export function keepBest(best: Candidate[], candidate: Candidate, most: number): void {
  let at = best.length;
  while (at > 0 && isAhead(candidate, best[at - 1])) at -= 1;
  if (at >= most) return;
  if (best.length === most) best.pop();
  best.splice(at, 0, candidate);
}

function isAhead({ seat, score }: Candidate, other: Candidate | undefined): boolean {
  if (other === undefined) return false;
  if (Math.abs(score - other.score) > ABOUT_MS) return score < other.score;
  const difference = seat.share - other.seat.share;
  return difference === 0 ? isLongerAgo(seat, other.seat) : difference < 0;
}

/** It was given work before the other was, or never; then by id. */
export function isLongerAgo(
  a: Pick<Seat, 'replicaId' | 'replica'>,
  b: Pick<Seat, 'replicaId' | 'replica'>,
): boolean {
  const difference = a.replica.lastDispatch - b.replica.lastDispatch;
  return difference === 0 ? a.replicaId < b.replicaId : difference < 0;
}
