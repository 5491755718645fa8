/** What happens to a newcomer that has to wait (OC-CORE-1002; contract, "Full queues"). */
import type { ErrorKind, PolicyLabel } from '@llama-orch/contracts';
import type { PoolSpec, Priority } from './types.ts';
import type { FairQueue } from './fair-queue.ts';

export type Room =
  | { readonly kind: 'free' }
  | { readonly kind: 'evict'; readonly taskId: string }
  | { readonly kind: 'refuse'; readonly code: ErrorKind; readonly policyLabel: PolicyLabel };

type Limits = Pick<PoolSpec, 'capacity' | 'classCapacity' | 'fullPolicy'>;

/**
 * One newcomer displaces at most one waiting task, and only when that makes room within both
 * bounds: tasks that came back after an attempt may hold the queue above its bound for a while, and
 * then nobody is evicted for a newcomer that would not fit anyway.
 */
export function makeRoom(queue: FairQueue, limits: Limits, priority: Priority): Room {
  if (hasRoom(queue, limits, priority)) return { kind: 'free' };
  const victim = victimOf(queue, limits, priority);
  if (victim !== undefined && fits(queue, limits, priority, 'batch')) {
    return { kind: 'evict', taskId: victim };
  }
  return {
    kind: 'refuse',
    code: limits.fullPolicy === 'drop-lru' ? 'QUEUE_FULL_DROP_LRU' : 'ADMISSION_REJECT',
    policyLabel: limits.fullPolicy,
  };
}

/** Whether one more of `priority` may wait without anyone giving way. */
export function hasRoom(queue: FairQueue, limits: Limits, priority: Priority): boolean {
  return fits(queue, limits, priority, undefined);
}

/** Only batch tasks are ever evicted. */
function victimOf(queue: FairQueue, limits: Limits, priority: Priority): string | undefined {
  switch (limits.fullPolicy) {
    case 'reject':
      return undefined;
    case 'drop-lru':
      return queue.oldest('batch')?.taskId;
    case 'shed-low-priority':
      return priority === 'interactive' ? queue.newest('batch')?.taskId : undefined;
  }
}

/** Whether one more of `priority` fits, once one of `evicted` has gone. */
function fits(
  queue: FairQueue,
  limits: Limits,
  priority: Priority,
  evicted: Priority | undefined,
): boolean {
  const total = queue.size - (evicted === undefined ? 0 : 1);
  const ofClass = queue.sizeOf(priority) - (evicted === priority ? 1 : 0);
  return total < limits.capacity && ofClass < (limits.classCapacity[priority] ?? Infinity);
}
