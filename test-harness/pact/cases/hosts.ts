/** Hosts that run pool-managerd: their reports, their leave, and what operators see of them. */
import { scalarText, type JsonObject } from '../contract-examples.ts';
import { pactCase, type CaseInput, type PactCase } from '../pact-case.ts';
import { situation } from '../situations.ts';
import { firstSync } from './case-values.ts';

const FROM_HOST = { sendsCorrelationId: false } as const;
const INSTANCE = scalarText((firstSync()['instance'] as JsonObject)['id']);

/** The first report of the contract with something else in it. */
const sync = (
  input: Pick<CaseInput, 'status' | 'when' | 'answer' | 'exact'>,
  over: JsonObject,
  where: 'a daemon' | 'a host that has not registered' = 'a daemon',
) =>
  pactCase({
    operationId: 'syncHost',
    situation: situation(where),
    body: { ...firstSync(), ...over },
    ...FROM_HOST,
    ...input,
  });

const [firstReplica = {}] = firstSync()['replicas'] as readonly JsonObject[];

export const hostCases: readonly PactCase[] = [
  sync(
    { status: '200', when: 'with its first report', exact: ['/event', '/lease/0'] },
    {},
    'a host that has not registered',
  ),
  sync(
    {
      status: '400',
      when: 'with a report that breaks the contract',
      answer: { details: [{ path: '/seq', message: 'must be >= 1' }] },
      exact: ['/details/0/path'],
    },
    { seq: 0 },
  ),
  sync(
    { status: '404', when: 'with a pool that is not configured' },
    {
      replicas: [{ ...firstReplica, pool_id: 'nobody' }],
    },
  ),
  sync({ status: '409', when: 'that speaks another major version' }, { api_version: '99.0.0' }),
  pactCase({
    operationId: 'listHosts',
    status: '200',
    when: 'that have registered',
    situation: situation('a host that has registered'),
    exact: ['/items/0/host_id'],
  }),
  pactCase({
    operationId: 'removeHost',
    status: '204',
    when: 'that takes leave',
    situation: situation('a host that has registered'),
    query: { instance_id: INSTANCE },
    ...FROM_HOST,
  }),
  pactCase({
    operationId: 'removeHost',
    status: '400',
    when: 'with an instance that is none',
    situation: situation('a daemon'),
    query: { instance_id: 'not-a-uuid' },
    answer: { details: [{ path: 'instance_id', message: 'must be a UUID' }] },
    exact: ['/details/0/path'],
    ...FROM_HOST,
  }),
];
