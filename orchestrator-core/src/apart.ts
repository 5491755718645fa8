/**
 * What keeps tasks of one replica apart: the key a client gave them, and suspicion. A task that ran on a
 * replica whose engine crashed may be what crashed it. It runs again, but never beside another such
 * task, so that the next crash accuses one of them only: a task that crashes engines is found with its
 * second, and those that happened to run beside it are not taken for it.
 */
import type { ReplicaRecord, TaskRecord } from './state.ts';

/** No key of a client: those have at least one character. */
const SUSPECT = '';

/** Crashes after which a task is not run again. */
export const MOST_CRASHES = 2;

/** A process that dumps its core, or whose parts end one after the other, takes a while to end, ms. */
const DYING_MS = 5_000;

export const NO_KEYS: readonly string[] = [];

/** Of two tasks that share one of these, only one runs on a replica at a time. */
export function keysApart({ crashes, spec: { placement } }: TaskRecord): readonly string[] {
  const own = placement?.antiAffinity;
  if (crashes === 0) return own === undefined ? NO_KEYS : [own];
  return own === undefined ? [SUSPECT] : [own, SUSPECT];
}

/** From here to its end, the running attempt keeps others with the same keys off its replica. */
export function takeKeys(task: TaskRecord, replica: ReplicaRecord): void {
  for (const key of keysApart(task)) {
    // A task may become a suspect where another runs: then the key stays with the one that has it.
    if (replica.keysApart.has(key)) continue;
    replica.keysApart.add(key);
    task.keysHeld = [...task.keysHeld, key];
  }
}

/** The running attempt is over. */
export function giveBackKeys(task: TaskRecord, replica: ReplicaRecord | undefined): void {
  for (const key of task.keysHeld) replica?.keysApart.delete(key);
  task.keysHeld = NO_KEYS;
}

/** An attempt on the replica failed: should the engine be dying, the task may be why. */
export function noteFault(replica: ReplicaRecord, taskId: string, nowMs: number): void {
  const { faultedAtMs } = replica;
  for (const [id, atMs] of faultedAtMs) if (nowMs - atMs > DYING_MS) faultedAtMs.delete(id);
  faultedAtMs.set(taskId, nowMs);
}

/** Tasks that left the replica so shortly before it crashed that they may be why. */
export function leftBeforeCrash(replica: ReplicaRecord, nowMs: number): readonly string[] {
  const left = [...replica.faultedAtMs].filter(([, atMs]) => nowMs - atMs <= DYING_MS);
  return left.map(([taskId]) => taskId);
}
