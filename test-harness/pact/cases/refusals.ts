/** What every operation refuses in the same way: callers, bodies, methods, and failures of its own. */
import { OPERATIONS, type OperationId } from '@llama-orch/contracts';
import type { JsonObject } from '../contract-examples.ts';
import { pactCase, type CaseInput, type KeyName, type PactCase } from '../pact-case.ts';
import { LOST_ANSWER_ID, situation } from '../situations.ts';
import { bodyOf, firstSync, shortTask } from './case-values.ts';
import { uuidOf } from '../../src/named-uuid.ts';

const IDS = Object.keys(OPERATIONS) as readonly OperationId[];

const named = (operationId: OperationId, status: string): boolean =>
  Object.hasOwn(OPERATIONS[operationId].responses, status);

/** Path, query and body of a request that nothing is wrong with. */
function wellFormed(operationId: OperationId): Pick<CaseInput, 'path' | 'query' | 'body'> {
  const { path } = OPERATIONS[operationId];
  const body = bodyOf(operationId);
  const needsId = path.startsWith('/v1/tasks/{id}') || path.startsWith('/v1/sessions/');
  return {
    ...(needsId ? { path: [uuidOf(operationId)] } : {}),
    ...(operationId === 'removeHost' ? { query: { instance_id: uuidOf('instance') } } : {}),
    ...(body === undefined ? {} : { body }),
  };
}

export const unknownKeyCases: readonly PactCase[] = IDS.filter((id) => named(id, '401')).map((id) =>
  pactCase({
    operationId: id,
    status: '401',
    when: 'with a key that is not known',
    situation: situation('a key that is not known'),
    key: 'unknown',
    ...wellFormed(id),
    ...fromHost(id),
    answerHeaders: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  }),
);

function methodsAt(path: string): string {
  const there = Object.values(OPERATIONS).filter((each) => each.path === path);
  return there.map(({ method }) => method).join(', ');
}

/** Keys that may do one thing, and that not. */
const LESSER_KEYS: Readonly<Record<string, KeyName>> = {
  'tasks:read': 'observer',
  'tasks:write': 'reader',
};

export const missingScopeCases: readonly PactCase[] = IDS.flatMap((id) => {
  const { scope } = OPERATIONS[id];
  // A key with any scope will do.
  if (!named(id, '403') || scope === 'any' || scope === null) return [];
  return pactCase({
    operationId: id,
    status: '403',
    when: `with a key that lacks the scope ${scope}`,
    situation: situation('a key without the scope'),
    key: LESSER_KEYS[scope] ?? 'reader',
    ...wellFormed(id),
    ...fromHost(id),
  });
});

export const otherMethodCases: readonly PactCase[] = IDS.map((id) =>
  pactCase({
    operationId: id,
    status: 'default',
    when: 'with a method that is not allowed',
    situation: situation('a daemon'),
    ...wellFormed(id),
    answerHeaders: { Allow: methodsAt(OPERATIONS[id].path) },
  }),
);

export const mediaTypeCases: readonly PactCase[] = IDS.filter((id) => named(id, '415')).map(
  (id) => {
    const { path } = wellFormed(id);
    return pactCase({
      operationId: id,
      status: '415',
      when: 'with a body that is not JSON by its type',
      situation: situation('a daemon'),
      ...(path === undefined ? {} : { path }),
      text: { type: 'text/plain', text: 'rain' },
    });
  },
);

export const largeBodyCases: readonly PactCase[] = [
  pactCase({
    operationId: 'createTask',
    status: '413',
    when: 'with a body above the limit',
    situation: situation('bodies of at most 1 KiB'),
    body: { prompt: 'rain '.repeat(256) },
  }),
  ...(['drainPool', 'reloadPool', 'canaryPool'] as const).map((operationId) =>
    pactCase({
      operationId,
      status: '413',
      when: 'with a body above the limit',
      situation: situation('bodies of at most 1 KiB'),
      body: { ...(bodyOf(operationId) as JsonObject), note: 'rain '.repeat(256) },
    }),
  ),
  pactCase({
    operationId: 'syncHost',
    status: '413',
    when: 'with a body above the limit',
    situation: situation('a request made larger than a sync may be'),
    body: firstSync(),
    sendsCorrelationId: false,
  }),
];

/** Of operations that would succeed: the answer is lost on its way out, and the caller is told that much. */
export const failureCases: readonly PactCase[] = IDS.filter((id) => named(id, '500')).map((id) => {
  const { path } = OPERATIONS[id];
  const taskId = uuidOf(`${id} failure`);
  const sessionId = uuidOf(`${id} failure in a session`);
  const ofTask = path.startsWith('/v1/tasks/{id}');
  const ofSession = path.startsWith('/v1/sessions/');
  return pactCase({
    operationId: id,
    status: '500',
    when: 'when something unforeseen fails',
    situation: situation('an unexpected failure inside the daemon', {
      operation: id,
      ...(ofTask ? { task_id: taskId } : {}),
      ...(ofSession ? { session_id: sessionId } : {}),
    }),
    headers: { 'X-Correlation-Id': LOST_ANSWER_ID },
    // It says nothing of the cause.
    exact: ['/message'],
    ...wellFormed(id),
    ...(ofTask ? { path: [taskId] } : ofSession ? { path: [sessionId] } : {}),
    ...(id === 'createTask' ? { body: shortTask(taskId) } : {}),
    ...(id === 'syncHost' ? { body: firstSync() } : {}),
  });
});

/** Requests of pool-managerd carry no correlation id. */
function fromHost(operationId: OperationId): Pick<CaseInput, 'sendsCorrelationId'> {
  return operationId === 'syncHost' || operationId === 'removeHost'
    ? { sendsCorrelationId: false }
    : {};
}
