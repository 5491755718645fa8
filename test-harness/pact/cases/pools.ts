/** Pools for operators: how they are, out of service and back, and other models. */
import { requestExample, responseExample, type JsonObject } from '../contract-examples.ts';
import { pactCase, POOL_ID, type PactCase } from '../pact-case.ts';
import { situation, type SituationName } from '../situations.ts';
import { bodyOf, DRAINING_POOL } from './case-values.ts';

const HEALTHY = responseExample('getPoolHealth', '200', 'serving') as JsonObject;

const views: readonly PactCase[] = [
  pactCase({
    operationId: 'listPools',
    status: '200',
    when: 'all of them',
    situation: situation('every pool is ready'),
  }),
  pactCase({
    operationId: 'listReplicaSets',
    status: '200',
    when: 'all of them',
    situation: situation('every pool is ready'),
  }),
  pactCase({
    operationId: 'getPoolHealth',
    status: '200',
    when: 'of one that serves',
    situation: situation('every pool is ready'),
    exact: ['/pool_id', '/live', '/ready', '/draining'],
  }),
  pactCase({
    operationId: 'getPoolHealth',
    status: '200',
    when: 'of one that drains',
    situation: situation('a pool that drains'),
    path: [DRAINING_POOL],
    answer: { ...HEALTHY, pool_id: DRAINING_POOL, draining: true },
    exact: ['/pool_id', '/draining'],
  }),
];

const drains: readonly PactCase[] = [
  pactCase({
    operationId: 'drainPool',
    status: '202',
    when: 'that drains already, with a new deadline',
    situation: situation('a pool that drains'),
    path: [DRAINING_POOL],
    body: requestExample('drainPool'),
    answer: { pool_id: DRAINING_POOL },
    exact: ['/pool_id', '/draining'],
  }),
  pactCase({
    operationId: 'drainPool',
    status: '400',
    when: 'without a deadline',
    situation: situation('a daemon'),
    body: {},
    answer: { details: [{ path: '/deadline_ms', message: 'is required' }] },
    exact: ['/details/0/path'],
  }),
  pactCase({
    operationId: 'undrainPool',
    status: '202',
    when: 'that drains',
    situation: situation('a pool that drains'),
    path: [DRAINING_POOL],
    answer: { pool_id: DRAINING_POOL },
    exact: ['/pool_id', '/draining'],
  }),
];

/** Each change of model, where it can be made and what it is then called. */
const CHANGES = [
  ['reloadPool', 'a pool that can change its model'],
  ['canaryPool', 'a pool that can change its model'],
  ['promotePool', 'a pool with a canary'],
  ['rollbackPool', 'a pool with a canary'],
] as const satisfies readonly (readonly [string, SituationName])[];

const changes: readonly PactCase[] = CHANGES.flatMap(([operationId, where]) => {
  const body = bodyOf(operationId);
  const request = body === undefined ? {} : { body };
  return [
    pactCase({
      operationId,
      status: '202',
      when: 'which begins the change',
      situation: situation(where),
      ...request,
      exact: ['/pool_id', '/change/kind', '/change/model_id'],
    }),
    pactCase({
      operationId,
      status: '409',
      when: 'of a pool that cannot',
      situation: situation('a pool that cannot change its model'),
      ...request,
      answer: { pool_id: POOL_ID },
      exact: ['/pool_id'],
    }),
  ];
});

const badChanges: readonly PactCase[] = (['reloadPool', 'canaryPool'] as const).map((operationId) =>
  pactCase({
    operationId,
    status: '400',
    when: 'without a model',
    situation: situation('a daemon'),
    body: operationId === 'canaryPool' ? { percent: 10 } : {},
    answer: { details: [{ path: '/new_model_ref', message: 'is required' }] },
    exact: ['/details/0/path'],
  }),
);

const OF_POOL = [
  ...['getPoolHealth', 'drainPool', 'undrainPool', 'reloadPool', 'canaryPool'],
  ...['promotePool', 'rollbackPool'],
] as readonly ('getPoolHealth' | 'drainPool' | 'undrainPool' | (typeof CHANGES)[number][0])[];

const byId: readonly PactCase[] = OF_POOL.flatMap((operationId) => {
  const body = bodyOf(operationId);
  const request = body === undefined ? {} : { body };
  return [
    pactCase({
      operationId,
      status: '400',
      when: 'with an id that is none',
      situation: situation('a daemon'),
      path: ['-'],
      ...request,
      answer: { details: [{ path: 'id', message: 'is not the id of a pool' }] },
      exact: ['/details/0/path'],
    }),
    pactCase({
      operationId,
      status: '404',
      when: 'with an id that no pool has',
      situation: situation('a daemon'),
      path: ['nobody'],
      ...request,
    }),
  ];
});

export const poolCases: readonly PactCase[] = [
  ...views,
  ...drains,
  ...changes,
  ...badChanges,
  ...byId,
];
