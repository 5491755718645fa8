/** Query parameters: text to types by the contract, closed and bounded like bodies. */
import { OPERATIONS } from '../generated/operations.ts';
import * as validators from '../generated/validate-queries.js';

import type { FaultDetail } from './errors.ts';
import { toFaults } from './faults.ts';
import type {
  CreateTaskQuery,
  ListEventsQuery,
  ListTasksQuery,
  RemoveHostQuery,
  StreamTaskQuery,
} from './types.ts';
import type { Validated } from './validate-request.ts';

interface Queries {
  readonly createTask: CreateTaskQuery;
  readonly streamTask: StreamTaskQuery;
  readonly listTasks: ListTasksQuery;
  readonly listEvents: ListEventsQuery;
  readonly removeHost: RemoveHostQuery;
}

/**
 * `query` maps each name to its text; a repeated parameter is an array, as Express gives it, and
 * refused. `details` name parameters, not JSON pointers. Defaults are filled in.
 */
export function parseQuery<Id extends keyof Queries>(
  operationId: Id,
  query: Readonly<Record<string, unknown>>,
): Validated<Queries[Id]> {
  const types: Readonly<Record<string, string>> = OPERATIONS[operationId].query;
  const faults: FaultDetail[] = [];
  // No prototype: a parameter named `__proto__` is a field like any other, and refused.
  const typed = Object.create(null) as Record<string, unknown>;
  for (const [name, text] of Object.entries(query)) {
    if (typeof text !== 'string') faults.push({ path: name, message: 'may be given only once' });
    else typed[name] = fromText(types[name], text);
  }
  const validate = validators[operationId];
  if (!validate(typed)) {
    for (const { path, message } of toFaults(validate.errors ?? [])) {
      faults.push({ path: path.slice(1), message });
    }
  }
  if (faults.length > 0) return { ok: false, details: faults };
  return { ok: true, value: typed as unknown as Queries[Id] };
}

/** Text that is not of its type stays text, and the validator refuses it as such. */
function fromText(type: string | undefined, text: string): unknown {
  if (type === 'integer' && /^-?[0-9]{1,16}$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
