/**
 * Which replica runs a task: filter → score → pick, each a small pure function (ORCH-3008, 3009).
 * A new consideration is one more entry in `FILTERS` or `SCORERS`.
 */
export interface PlacementRequest {
  /** The only set that may run it, once output was seen (ORCH-3045). */
  readonly pinnedSetId: string | undefined;
  /** Where its last attempt failed. */
  readonly avoidReplicaId: string | undefined;
  /** Where its session's KV is. */
  readonly affinityReplicaId: string | undefined;
}

/** A replica that may be given work: ready (ORCH-3010) and not resting after a fault. */
export interface Candidate {
  readonly replicaId: string;
  readonly setId: string;
  readonly slots: number;
  readonly running: number;
}

type Filter = (request: PlacementRequest, candidate: Candidate) => boolean;
/** Lower is better. */
type Scorer = (request: PlacementRequest, candidate: Candidate) => number;

const hasFreeSlot: Filter = (_request, { running, slots }) => running < slots;

const isOfPinnedSet: Filter = ({ pinnedSetId }, { setId }) =>
  pinnedSetId === undefined || pinnedSetId === setId;

const failedBefore: Scorer = ({ avoidReplicaId }, { replicaId }) =>
  replicaId === avoidReplicaId ? 1 : 0;

const lacksSession: Scorer = ({ affinityReplicaId }, { replicaId }) =>
  affinityReplicaId === undefined || replicaId === affinityReplicaId ? 0 : 1;

const load: Scorer = (_request, { running, slots }) => running / slots;

const FILTERS: readonly Filter[] = [hasFreeSlot, isOfPinnedSet];
/** Most important first; a later one only breaks the ties of those before it. */
const SCORERS: readonly Scorer[] = [failedBefore, lacksSession, load];

/** The best candidate, or undefined when none fits. Ties go to the lower replica id. */
export function placeTask(
  request: PlacementRequest,
  candidates: readonly Candidate[],
): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of candidates) {
    if (!FILTERS.every((filter) => filter(request, candidate))) continue;
    if (best === undefined || isBetter(request, candidate, best)) best = candidate;
  }
  return best;
}

function isBetter(request: PlacementRequest, a: Candidate, b: Candidate): boolean {
  for (const score of SCORERS) {
    const difference = score(request, a) - score(request, b);
    if (difference !== 0) return difference < 0;
  }
  return a.replicaId < b.replicaId;
}
