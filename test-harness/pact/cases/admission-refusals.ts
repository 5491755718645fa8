/** Tasks that are not taken: for what they ask, and where there is no room. */
import { pactCase, type PactCase } from '../pact-case.ts';
import { situation } from '../situations.ts';
import { DRAINING_POOL, fullPoolOf, shortTask, SLOW_POOL } from './case-values.ts';
import { uuidOf } from '../../src/named-uuid.ts';

/** By what is asked, or the state of the pool that is asked. */
const refusals: readonly PactCase[] = [
  pactCase({
    operationId: 'createTask',
    status: '400',
    when: 'with a field that is not known',
    situation: situation('a daemon'),
    body: { prompt: 'hello', promt: 'hello' },
    example: 'unknownField',
    exact: ['/details/0/path'],
  }),
  pactCase({
    operationId: 'createTask',
    status: '400',
    when: 'with a deadline that cannot be kept',
    situation: situation('a pool that is known to be slow'),
    body: { prompt: 'hello', model_ref: SLOW_POOL, deadline_ms: 1 },
    example: 'deadline',
    answer: { pool_id: SLOW_POOL },
    exact: ['/pool_id', '/engine', '/details/0/path'],
  }),
  pactCase({
    operationId: 'createTask',
    status: '404',
    when: 'for a model that nobody serves',
    situation: situation('a daemon'),
    body: { prompt: 'hello', model_ref: 'no-such-model' },
  }),
  pactCase({
    operationId: 'createTask',
    status: '409',
    when: 'with an id that came before with another body',
    situation: situation('a task id that another request has used', { task_id: uuidOf('used') }),
    body: { ...shortTask(uuidOf('used')), prompt: 'Write a haiku about snow.' },
  }),
  pactCase({
    operationId: 'createTask',
    status: '503',
    when: 'to a pool that drains',
    situation: situation('a pool that drains'),
    body: { prompt: 'hello', model_ref: DRAINING_POOL },
    answer: { pool_id: DRAINING_POOL },
    exact: ['/pool_id'],
  }),
];

/** Each with the policy that refused, and when to come back. */
const overload: readonly PactCase[] = [
  ...(['reject', 'drop-lru', 'shed-low-priority'] as const).map((policy) =>
    pactCase({
      operationId: 'createTask',
      status: '429',
      when: `to a full queue with the policy ${policy}`,
      situation: situation('a full queue', { policy }),
      body: { prompt: 'hello', model_ref: fullPoolOf(policy), priority: 'batch' },
      answer: {
        code: policy === 'drop-lru' ? 'QUEUE_FULL_DROP_LRU' : 'ADMISSION_REJECT',
        policy_label: policy,
        pool_id: fullPoolOf(policy),
      },
      exact: ['/pool_id', '/engine'],
    }),
  ),
  pactCase({
    operationId: 'createTask',
    status: '429',
    when: 'from a tenant that has used up its rate',
    situation: situation('a tenant that has used up its rate'),
    key: 'hurried',
    body: { prompt: 'hello' },
    answer: { code: 'RATE_LIMITED', policy_label: 'rate-limit' },
    omit: ['engine', 'pool_id'],
  }),
];

export const admissionRefusalCases: readonly PactCase[] = [...refusals, ...overload];
