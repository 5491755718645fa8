/** Who went before whom, counted in dispatches: what a slow machine does not change. */
import type { LedgerRow } from './ledger-file.ts';

/**
 * @param rows of the ledger, in order
 * @param waiting tasks whose wait is looked at
 * @param others tasks that may have gone before them
 * @returns for each task that waited, how many of the others were dispatched between its acceptance and its
 * own dispatch
 */
export function overtakings(
  rows: readonly LedgerRow[],
  waiting: ReadonlySet<string>,
  others: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const open = new Map<string, number>();
  const done = new Map<string, number>();
  let dispatched = 0;
  for (const { type, taskId = '' } of rows) {
    if (type === 'task.accepted' && waiting.has(taskId)) open.set(taskId, dispatched);
    if (type !== 'task.dispatched') continue;
    if (others.has(taskId)) dispatched += 1;
    const before = open.get(taskId);
    if (before === undefined) continue;
    done.set(taskId, dispatched - before);
    open.delete(taskId);
  }
  return done;
}

/**
 * How many tasks of a flow may go before one whose own flow has had less than its share: those that are more
 * urgent while the flows lie within the window (OC-CORE-1052), and one for each slot that becomes free in the
 * moment in which it is admitted (OC-CORE-1077).
 * @param window service per weight, of the tuning
 * @param weight of the flow of the others
 * @param cost least service of one of its tasks
 */
export function mostOvertakings(
  window: number,
  weight: number,
  cost: number,
  slots: number,
): number {
  return Math.ceil((window * weight) / cost) + slots;
}

/** @returns what is wrong, one line each */
export function judgeOvertakings(
  found: ReadonlyMap<string, number>,
  waiting: ReadonlySet<string>,
  most: number,
): readonly string[] {
  return [...waiting].flatMap((id) => {
    const count = found.get(id);
    if (count === undefined) return [`${id}: never dispatched`];
    return count > most ? [`${id}: ${count} of the flood went before it, not ${most} at most`] : [];
  });
}
