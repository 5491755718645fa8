/** Whether each end is one that what happened to the task allows. */
import { readFileSync } from 'node:fs';
import { ERROR_KINDS, type ErrorKind } from '@llama-orch/contracts';
import { drawnKindOf, type DrawnKind, type SimFault } from '../engines/kit/faults.ts';
import type { TaskOutcome } from './fault-client.ts';
import { MAX_ATTEMPTS, OWNED_POOL } from './fault-engines.ts';
import { markIn } from './fault-tasks.ts';

/** What hit each task, in order, by its number. Self-tests and probes are hit too; they are nobody's. */
export type Struck = ReadonlyMap<number, readonly DrawnKind[]>;

export function readFaultLog(file: string): Struck {
  const struck = new Map<number, DrawnKind[]>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    const { fault, text } = JSON.parse(line) as { readonly fault: SimFault; readonly text: string };
    const n = markIn(text);
    if (n === undefined) continue;
    struck.set(n, [...(struck.get(n) ?? []), drawnKindOf(fault)]);
  }
  return struck;
}

/** Engines that may crash under one task. */
const MOST_CRASHES = 2;

/** Ends that a fault of an engine may bring about. Anything else is a failure of ours. */
const ENDS: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  'WORKER_RESET',
  'DECODE_TIMEOUT',
  'REPLICA_EXHAUSTED',
  'POOL_UNREADY',
  'INVALID_PARAMS',
]);

/** @returns what is wrong with how a task ended, or undefined */
export function judge(outcome: TaskOutcome, struck: readonly DrawnKind[]): string | undefined {
  const { plan, state, code, retriable, attempts, hadOutput } = outcome;
  if (plan.isPoison) return judgePoison(outcome, struck);
  if (state !== 'failed' || code === undefined) return undefined;
  if (!ENDS.has(code)) return `ended with ${code}`;
  if (code === 'INVALID_PARAMS') {
    if (!struck.includes('http-400')) return 'INVALID_PARAMS, and no engine refused it';
    return retriable === false ? undefined : 'INVALID_PARAMS told as retriable';
  }
  // Two engines that crashed under it: it is taken for their killer.
  const isBlamed = code === 'WORKER_RESET' && retriable === false;
  if (isBlamed && plan.pool.id === OWNED_POOL && attempts >= 2) return undefined;
  if (retriable !== ERROR_KINDS[code].retriable)
    return `${code} with retriable ${String(retriable)}`;
  const isSafeToRerun = plan.request.determinism === 'strict' || !hadOutput;
  // Without its attempts used up only the wall may end it, which counts time and not attempts.
  if (isSafeToRerun && attempts < MAX_ATTEMPTS && code !== 'DECODE_TIMEOUT') {
    return `${code} after ${attempts} of ${MAX_ATTEMPTS} attempts, though it could run again`;
  }
  return undefined;
}

/**
 * OC-CORE-1033. The second engine may die so slowly that the task has moved on by then, and it is stopped
 * on a third. Another may have been dying already when the task came, and accuses it for nothing.
 */
function judgePoison(
  { state, code, retriable, attempts, requeues }: TaskOutcome,
  struck: readonly DrawnKind[],
): string | undefined {
  const hasMovedOn = requeues.some((reason) => reason !== 'replica-crashed');
  const most = hasMovedOn ? MOST_CRASHES + 1 : MOST_CRASHES;
  if (struck.length > most) return `poison that crashed ${struck.length} engines`;
  if (state !== 'failed' || code === undefined) return `poison that was ${state}`;
  const isBlamed = code === 'WORKER_RESET' && retriable === false;
  if (isBlamed || (ENDS.has(code) && attempts >= MAX_ATTEMPTS)) return undefined;
  return `poison that ended with ${code} after ${attempts} attempts`;
}
