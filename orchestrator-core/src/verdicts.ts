/** What each replica was to a task, for who asks why it went where it did. */
import type { PassOver, ReplicaVerdict } from './decision.ts';
import { MAX_VERDICTS } from './decision.ts';
import { hitsOf, NOTHING, prospectOf, untilEndMs } from './placement.ts';
import { blockAt, isHard, keepBest, seatsOf, type Candidate, type Seat } from './seats.ts';
import type { CoreState, PoolState, TaskRecord } from './state.ts';

/**
 * The chosen one first, then by estimate; of many replicas only those that come into question.
 * @param seats the replicas at this moment
 */
export function verdictsOf(
  state: CoreState,
  pool: PoolState,
  task: TaskRecord,
  chosenId: string,
  nowMs: number,
  seats = seatsOf(pool, nowMs),
): readonly ReplicaVerdict[] {
  const hits = hitsOf(pool, task);
  const nearest: Candidate[] = [];
  for (const seat of seats.all) {
    const block = blockAt(pool, seat, task);
    const cachedTokens = hits?.get(seat.replicaId) ?? 0;
    const roughMs = firstTokenRoughly(pool, task, seat, block, cachedTokens, nowMs);
    const score = seat.replicaId === chosenId ? -Infinity : roughMs;
    keepBest(nearest, { seat, block, score }, MAX_VERDICTS);
  }
  return nearest
    .map(({ seat, block }) => verdictOn(state, pool, task, seat, block, chosenId, nowMs))
    .sort(compareVerdicts);
}

function firstTokenRoughly(
  pool: PoolState,
  task: TaskRecord,
  { replica, drainMs, msPerToken }: Seat,
  block: PassOver | undefined,
  cachedTokens: number,
  nowMs: number,
): number {
  if (isHard(block)) return Infinity;
  const endMs = block === undefined ? 0 : untilEndMs(pool, task, replica, block, nowMs);
  return Math.max(drainMs, endMs) + msPerToken * (task.estimate.promptTokens - cachedTokens);
}

function verdictOn(
  state: CoreState,
  pool: PoolState,
  task: TaskRecord,
  { replicaId, replica }: Seat,
  block: PassOver | undefined,
  chosenId: string,
  nowMs: number,
): ReplicaVerdict {
  if (block !== undefined && isHard(block)) {
    return { replicaId, verdict: block, firstTokenMs: undefined, cachedTokens: 0 };
  }
  const prospect = prospectOf(state, pool, task, replicaId, replica, block, NOTHING, nowMs);
  return {
    replicaId,
    verdict: replicaId === chosenId ? 'chosen' : (prospect.block ?? 'slower'),
    firstTokenMs: prospect.firstTokenMs,
    cachedTokens: prospect.cachedTokens,
  };
}

function compareVerdicts(a: ReplicaVerdict, b: ReplicaVerdict): number {
  if (a.verdict === 'chosen' || b.verdict === 'chosen') return a.verdict === 'chosen' ? -1 : 1;
  return (
    (a.firstTokenMs ?? Infinity) - (b.firstTokenMs ?? Infinity) ||
    (a.replicaId < b.replicaId ? -1 : 1)
  );
}
