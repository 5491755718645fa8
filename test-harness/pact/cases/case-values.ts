/** Values that requests and the set-up of their situations share. */
import type { OperationId } from '@llama-orch/contracts';
import { requestExample, type Json, type JsonObject } from '../contract-examples.ts';

/** A task that is over after two tokens. */
export function shortTask(taskId: string): { task_id: string; prompt: string; max_tokens: number } {
  return { task_id: taskId, prompt: 'Write a haiku about rain.', max_tokens: 2 };
}

/** A valid body for each operation that takes one. */
export function bodyOf(operationId: OperationId): Json | undefined {
  switch (operationId) {
    case 'createTask':
    case 'drainPool':
    case 'reloadPool':
    case 'canaryPool':
    case 'syncHost':
      return requestExample(operationId);
    default:
      return undefined;
  }
}

/** The contract's first report of a host, as an object to vary. */
export function firstSync(): JsonObject {
  return requestExample('syncHost', 'first') as JsonObject;
}

/** A pool with two replicas, and one of which a replica can be ended. */
export const PAIRED_POOL = 'paired';
export const WIDOWED_POOL = 'widowed';
/** What a pool is called whose only slot is taken; the models of the pools are named like the pools. */
export const BUSY_POOL = 'busy';
export const DRAINING_POOL = 'draining';
/** A pool whose speed can be learned from a few tasks. */
export const SLOW_POOL = 'slow';
/** A pool for each policy, with a slot and a place in the queue. */
export const fullPoolOf = (policy: string): string => `full-${policy}`;
/** The model that pools can be told to serve. */
export const OTHER_MODEL = 'haiku-v2';
