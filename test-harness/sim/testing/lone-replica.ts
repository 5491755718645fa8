/** One replica without a fleet: submissions at given times, everything it reports in a list. */
import { A100_8B } from '../iteration-time.ts';
import { Replica } from '../replica-model.ts';
import type { Attempt, ReplicaOptions } from '../replica-types.ts';

export interface Report {
  readonly what: 'first' | 'finished' | 'aborted';
  readonly requestId: number;
  readonly atMs: number;
  /** Cached tokens of a first token, produced tokens of an abort. */
  readonly tokens: number;
}

export const REPLICA: ReplicaOptions = {
  constants: A100_8B,
  tokenBudget: 2048,
  kvTokens: 420_000,
  cacheTokens: 0,
  slots: Infinity,
  slowdown: 1,
  noise: 0,
  seed: 1,
  reportSteps: false,
};

/** Something done to the replica from outside. */
export interface Action {
  readonly atMs: number;
  act(replica: Replica): void;
}

export function attempt(requestId: number, overrides: Partial<Attempt> = {}): Attempt {
  return {
    requestId,
    promptTokens: 1000,
    outputTokens: 10,
    producedBefore: 0,
    blocks: [],
    ...overrides,
  };
}

export function submit(atMs: number, what: Attempt): Action {
  return { atMs, act: (replica) => replica.submit(what, atMs) };
}

export function abort(atMs: number, requestId: number): Action {
  return { atMs, act: (replica) => replica.abort(requestId, atMs) };
}

/** Runs until nothing is left to do. `watch` is called after every instant. */
export function runReplica(
  options: Partial<ReplicaOptions>,
  actions: readonly Action[],
  watch: (replica: Replica, nowMs: number) => void = () => undefined,
): { reports: Report[]; stepEndsMs: number[]; replica: Replica } {
  const reports: Report[] = [];
  const stepEndsMs: number[] = [];
  const replica = new Replica({ ...REPLICA, ...options }, 0, {
    firstToken: ({ requestId }, atMs, tokens) =>
      reports.push({ what: 'first', requestId, atMs, tokens }),
    finished: ({ requestId }, atMs) =>
      reports.push({ what: 'finished', requestId, atMs, tokens: 0 }),
    aborted: ({ requestId }, atMs, tokens) =>
      reports.push({ what: 'aborted', requestId, atMs, tokens }),
    stepEnded: (atMs) => stepEndsMs.push(atMs),
  });
  let done = 0;
  for (;;) {
    const nowMs = Math.min(actions[done]?.atMs ?? Infinity, replica.nextMs);
    if (nowMs === Infinity) return { reports, stepEndsMs, replica };
    if (replica.nextMs <= nowMs) replica.complete();
    for (; (actions[done]?.atMs ?? Infinity) <= nowMs; done += 1) actions[done]?.act(replica);
    replica.compose(nowMs);
    watch(replica, nowMs);
  }
}
