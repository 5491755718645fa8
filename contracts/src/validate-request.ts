/** Checks request bodies against the contract, without changing them. */
import type { ErrorObject } from 'ajv';

import * as untilFirstFault from '../generated/validate-requests.js';
import * as allFaults from '../generated/validate-requests-fully.js';

import type { FaultDetail } from './errors.ts';
import type { RefusalMessage } from './faults.ts';
import { toFaults } from './faults.ts';
import { hasAtMostValues, nestsAtMost } from './json-size.ts';
import type { CanaryRequest, DrainRequest, HostSync, ReloadRequest, TaskRequest } from './types.ts';

export type Validated<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly details: readonly FaultDetail[] };

/**
 * A body with more values than this is refused with its first fault only: finding all faults of a
 * megabyte of garbage would hold up everyone else for tens of milliseconds.
 */
const EXPLAINED_VALUES = 2_000;
/** Bounds of `json_schema`, the only open part of a task, for whoever walks it recursively. */
const SCHEMA_VALUES = 4_096;
const SCHEMA_DEPTH = 64;

const TASK_REFUSALS: readonly RefusalMessage[] = [
  { at: '#/then/properties/', message: 'is used only by the workload completion' },
  { at: '#/then/then/properties/', message: 'is not used by the workload rerank' },
  { at: '#/then/else/properties/', message: 'is used only by the workload rerank' },
  { at: '#/then/else/oneOf', message: 'needs exactly one of prompt and inputs' },
  { at: '#/else/properties/inputs/', message: 'is used only by the workload embedding' },
  { at: '#/else/properties/', message: 'is used only by the workload rerank' },
  { at: '#/else/oneOf', message: 'needs exactly one of prompt and messages' },
  { at: '#/dependentSchemas/grammar/', message: 'cannot be given together with grammar' },
];

/** `value` is what JSON.parse made of the body; `details` hold JSON pointers into it. */
export function validateTaskRequest(value: unknown): Validated<TaskRequest> {
  const faults = faultsOf('createTask', value, TASK_REFUSALS);
  if (faults.length > 0) return { ok: false, details: faults };
  const task = value as TaskRequest;
  const message = schemaFault(task.json_schema);
  if (message !== undefined) return { ok: false, details: [{ path: '/json_schema', message }] };
  return { ok: true, value: task };
}

function schemaFault(schema: TaskRequest['json_schema']): string | undefined {
  if (schema === undefined) return undefined;
  if (!hasAtMostValues(schema, SCHEMA_VALUES)) return `must hold at most ${SCHEMA_VALUES} values`;
  if (!nestsAtMost(schema, SCHEMA_DEPTH)) return `must nest at most ${SCHEMA_DEPTH} levels`;
  return undefined;
}

export function validateDrainRequest(value: unknown): Validated<DrainRequest> {
  return validated<DrainRequest>('drainPool', value);
}

export function validateReloadRequest(value: unknown): Validated<ReloadRequest> {
  return validated<ReloadRequest>('reloadPool', value);
}

export function validateCanaryRequest(value: unknown): Validated<CanaryRequest> {
  return validated<CanaryRequest>('canaryPool', value);
}

function validated<T>(operation: BodyOperation, value: unknown): Validated<T> {
  const details = faultsOf(operation, value, []);
  return details.length > 0 ? { ok: false, details } : { ok: true, value: value as T };
}

export function validateHostSync(value: unknown): Validated<HostSync> {
  const details = faultsOf('syncHost', value, []);
  return details.length > 0 ? { ok: false, details } : { ok: true, value: value as HostSync };
}

type BodyOperation = keyof typeof untilFirstFault;

function faultsOf(
  operation: BodyOperation,
  value: unknown,
  refusals: readonly RefusalMessage[],
): readonly FaultDetail[] {
  const quick = untilFirstFault[operation];
  if (quick(value)) return [];
  let errors: readonly ErrorObject[] = quick.errors ?? [];
  if (hasAtMostValues(value, EXPLAINED_VALUES)) {
    const thorough = allFaults[operation];
    thorough(value);
    errors = thorough.errors ?? [];
  }
  return toFaults(errors, refusals);
}
