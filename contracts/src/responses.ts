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

type Validator = (typeof generated)['Task'];
const validators: Readonly<Record<string, Validator | undefined>> = generated;

const EVENT_SCHEMAS: Readonly<Record<string, string | undefined>> = {
  started: 'StartedEvent',
  token: 'TokenEvent',
  metrics: 'MetricsEvent',
  end: 'EndEvent',
  error: 'ErrorEvent',
} satisfies Record<keyof TaskEvents, keyof typeof generated>;

/**
 * `body` is the parsed JSON body, undefined when there was none. A status the contract does not list
 * is checked as `default` when it is an error, and is a fault of its own when it is not.
 */
export function validateResponse(
  operationId: OperationId,
  status: number,
  body: unknown,
): Validated<unknown> {
  const responses: Readonly<Record<string, string | null>> = OPERATIONS[operationId].responses;
  const schema = responses[status >= 400 && !(status in responses) ? 'default' : status];
  if (schema === undefined) return fault(`${operationId} has no status ${status}`);
  if (schema !== null) return check(schema, body);
  if (body === undefined) return { ok: true, value: body };
  return fault(`${operationId} has no JSON body with status ${status}`);
}

/** Checks the data of one event of a task's stream. */
export function validateTaskEvent(event: string, data: unknown): Validated<unknown> {
  const schema = EVENT_SCHEMAS[event];
  return schema === undefined ? fault(`${event} is not an event of a task`) : check(schema, data);
}

function check(schema: string, value: unknown): Validated<unknown> {
  const validate = validators[schema];
  if (!validate) throw new Error(`the contract's schema ${schema} was not compiled`);
  if (validate(value)) return { ok: true, value };
  return { ok: false, details: toFaults(validate.errors ?? []) };
}

function fault(message: string): Validated<never> {
  return { ok: false, details: [{ path: '', message }] };
}
