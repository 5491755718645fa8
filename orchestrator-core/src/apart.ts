/**
 * What keeps tasks of one replica apart: the key a client gave them, and suspicion. A task that ran on a
 * replica whose engine crashed may be what crashed it. It runs again, but never beside another such
 * task, so that the next crash accuses one of them only: a task that crashes engines is found with its
 * second, and those that happened to run beside it are not taken for it.
 */
import type { TaskRecord } from './state.ts';

/** No key of a client: those have at least one character. */
const SUSPECT = '';

/** Crashes after which a task is not run again. */
export const MOST_CRASHES = 2;

const NONE: readonly string[] = [];

/** Of two tasks that share one of these, only one runs on a replica at a time. */
export function keysApart({ crashes, spec: { placement } }: TaskRecord): readonly string[] {
  const own = placement?.antiAffinity;
  if (crashes === 0) return own === undefined ? NONE : [own];
  return own === undefined ? [SUSPECT] : [own, SUSPECT];
}
