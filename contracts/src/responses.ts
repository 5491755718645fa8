/**
 * Checks what the daemon answers, for tests: `@llama-orch/contracts/responses`. A module of its own,
 * since its validators are ten times as large as those for requests.
 */
import type { OperationId } from '../generated/operations.ts';
import { OPERATIONS } from '../generated/operations.ts';
import * as generated from '../generated/validate-responses.js';

import { toFaults } from './faults.ts';
import type { TaskEvents } from './types.ts';
import type { Validated } from './validate-request.ts';

type Validator = (typeof generated)['createTask_202'];
const validators = generated as unknown as Readonly<Record<string, Validator | undefined>>;

/**
 * `body` is the parsed JSON body, undefined when there was none. A status the contract does not list
 * is checked as `default` when it is an error, and is a fault of its own when it is not.
 */
export function validateResponse(
  operationId: OperationId,
  status: number,
  body: unknown,
): Validated<unknown> {
  const listed: readonly number[] = OPERATIONS[operationId].statuses;
  if (!listed.includes(status) && status < 400) {
    return {
      ok: false,
      details: [{ path: '', message: `${operationId} has no status ${status}` }],
    };
  }
  const validate = validators[`${operationId}_${listed.includes(status) ? status : 'default'}`];
  if (validate) return check(validate, body);
  if (body === undefined) return { ok: true, value: body };
  const message = `${operationId} has no JSON body with status ${status}`;
  return { ok: false, details: [{ path: '', message }] };
}

/** Checks the data of one event of a task's stream. */
export function validateTaskEvent(
  event: string,
  data: unknown,
): Validated<TaskEvents[keyof TaskEvents]> {
  const validate = validators[`event_${event}`];
  if (validate) return check(validate, data) as Validated<TaskEvents[keyof TaskEvents]>;
  return { ok: false, details: [{ path: '', message: `${event} is not an event of a task` }] };
}

function check(validate: Validator, value: unknown): Validated<unknown> {
  if (validate(value)) return { ok: true, value };
  return { ok: false, details: toFaults(validate.errors ?? []) };
}
