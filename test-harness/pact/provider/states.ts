/** How each situation of the pacts is brought about: over the API, as anybody could. */
import { randomUUID } from 'node:crypto';
import { OPERATIONS, type TaskRequest } from '@llama-orch/contracts';
import type { DaemonClient } from '../../src/daemon-client.ts';
import { waitFor } from '../../src/wait-for.ts';
import {
  bodyOf,
  BUSY_POOL,
  DRAINING_POOL,
  firstSync,
  fullPoolOf,
  OTHER_MODEL,
  PAIRED_POOL,
  shortTask,
  SLOW_POOL,
  WIDOWED_POOL,
} from '../cases/case-values.ts';
import { HOST_ID, POOL_ID } from '../pact-case.ts';
import type { Situation, SituationName, SituationParameters } from '../situations.ts';
import { BROKEN_POOL, QUICK_POOL, type Daemons, type Provider } from './daemons.ts';
import { uuidOf } from '../../src/named-uuid.ts';

export interface State<Name extends SituationName> {
  /**
   * Whether a daemon that we did not start is brought into it without harm, or is in it already:
   * `any`; `keys` when it asks for keys and we were given one; `no`, with what it would take.
   */
  readonly elsewhere: 'any' | 'keys' | { readonly no: string };
  readonly setUp: (
    provider: Provider,
    parameters: SituationParameters[Name],
  ) => void | Promise<unknown>;
}

const NOTHING = (): void => undefined;
const POOL_STARTS_MS = 60_000;
/** More than the fullest of the queues takes. */
const MOST_FILLERS = 5;

export const STATES: { readonly [Name in SituationName]: State<Name> } = {
  'a daemon': { elsewhere: 'any', setUp: NOTHING },
  'every pool is ready': {
    elsewhere: 'any',
    setUp: allReady,
  },
  'a key that is not known': { elsewhere: 'keys', setUp: NOTHING },
  'a key without the scope': { elsewhere: { no: 'keys of known scopes' }, setUp: NOTHING },
  'a pool without engines': { elsewhere: { no: 'a pool nobody serves' }, setUp: NOTHING },
  'bodies of at most 1 KiB': { elsewhere: { no: 'another limit on bodies' }, setUp: NOTHING },
  'a request made larger than a sync may be': { elsewhere: 'any', setUp: NOTHING },
  'a task that has ended': {
    elsewhere: 'any',
    setUp: (provider, { task_id: id }) => ended(provider.as('client'), shortTask(id)),
  },
  'a task that can be verified': {
    elsewhere: { no: 'a pool with two replicas' },
    setUp: (provider, { task_id: id }) =>
      ended(provider.as('client'), { ...shortTask(id), model_ref: PAIRED_POOL }),
  },
  'a task of which no other replica is ready': {
    elsewhere: { no: 'a pool whose replica may be ended' },
    setUp: (provider, { task_id: id }) => widowed(provider, id),
  },
  'a task id that another request has used': {
    elsewhere: 'any',
    setUp: (provider, { task_id: id }) => ended(provider.as('client'), shortTask(id)),
  },
  'a session': {
    elsewhere: 'any',
    setUp: (provider, { session_id: id }) => afterFirstTurn(provider.as('client'), id),
  },
  'a pool whose slots are busy': {
    elsewhere: { no: 'a pool that endless tasks may hold' },
    setUp: (provider) => busyAndEmptyQueue(provider.as('client')),
  },
  'a task that waits': {
    elsewhere: { no: 'a pool that endless tasks may hold' },
    setUp: (provider, { task_id: id }) => waiting(provider.as('client'), id),
  },
  'a task that was canceled while it waited': {
    elsewhere: { no: 'a pool that endless tasks may hold' },
    async setUp(provider, { task_id: id }) {
      await waiting(provider.as('client'), id);
      await provider.as('client').cancel(id);
    },
  },
  'a task whose engine failed': {
    elsewhere: { no: 'an engine that fails when told' },
    async setUp(provider, { task_id: id }) {
      provider.failNextTask?.();
      await ended(provider.as('client'), { ...shortTask(id), model_ref: BROKEN_POOL });
    },
  },
  'a task that is not kept any more': {
    elsewhere: { no: 'a short retention' },
    async setUp(provider, { task_id: id }) {
      const client = provider.as('client');
      await client.admit({ ...shortTask(id), model_ref: QUICK_POOL });
      await untilStatus(client, 'streamTask', id, 410);
    },
  },
  'a session that has expired': {
    elsewhere: { no: 'a short time to live of sessions' },
    async setUp(provider, { session_id: id }) {
      const client = provider.as('client');
      await client.run({ ...shortTask(randomUUID()), session_id: id, model_ref: QUICK_POOL });
      await untilStatus(client, 'getSession', id, 404);
    },
  },
  'a full queue': {
    elsewhere: { no: 'pools with a small queue, one for each policy' },
    setUp: (provider, { policy }) => fullQueue(provider.as('client'), fullPoolOf(policy)),
  },
  'a pool that is known to be slow': {
    elsewhere: { no: 'a pool without other work' },
    setUp: (provider) => learned(provider.as('client')),
  },
  'a pool that drains': {
    elsewhere: { no: 'a pool that may be drained' },
    setUp: (provider) =>
      provider
        .as('operator')
        .call('drainPool', { path: [DRAINING_POOL], body: { deadline_ms: 600_000 } }),
  },
  'a tenant that has used up its rate': {
    elsewhere: { no: 'a tenant with a rate' },
    setUp: (provider) => untilRefused(provider.as('hurried'), { prompt: 'hurried' }),
  },
  'a host that has registered': {
    elsewhere: { no: 'a pool that an imagined host may join' },
    setUp: registeredHost,
  },
  'a host that has not registered': {
    elsewhere: { no: 'a pool that an imagined host may join' },
    setUp: withoutHost,
  },
  'a pool that cannot change its model': {
    elsewhere: { no: 'a pool of which that is known' },
    setUp: NOTHING,
  },
  'a pool that can change its model': {
    elsewhere: { no: 'a pool whose model may be changed' },
    setUp: (provider) => unchanged(provider.as('operator')),
  },
  'a pool with a canary': {
    elsewhere: { no: 'a pool whose model may be changed' },
    setUp: (provider) => withCanary(provider.as('operator')),
  },
  'an unexpected failure inside the daemon': {
    elsewhere: { no: 'a fault inside the daemon' },
    setUp: otherwiseSuccessful,
  },
};

/** Tasks after which the daemon trusts what it has seen of a pool, and more. */
const LESSONS = 16;

/** The daemon of ours on which a situation can be had. */
export function daemonFor({ name, parameters }: Situation): keyof Omit<Daemons, symbol> {
  switch (name) {
    case 'a pool without engines':
    case 'bodies of at most 1 KiB':
    case 'a task that is not kept any more':
    case 'a session that has expired':
    case 'a pool that can change its model':
    case 'a pool with a canary':
      return 'tight';
    case 'an unexpected failure inside the daemon':
      return OPERATIONS[parameters.operation].path.startsWith('/v1/pools/') ? 'tight' : 'main';
    default:
      return 'main';
  }
}

/** Posts a task, unless that was done before, and resolves once it has ended. */
async function ended(client: DaemonClient, task: TaskRequest & { task_id: string }): Promise<void> {
  await client.admit(task);
  await client.untilEnded(task.task_id);
}

/** Where the task did not run the engine ends, and does not come back. */
async function widowed(provider: Provider, taskId: string): Promise<void> {
  const client = provider.as('client');
  await ended(client, { ...shortTask(taskId), model_ref: WIDOWED_POOL });
  const { replica } = await client.task(taskId);
  await provider.endOtherReplica?.(replica?.replica_id ?? '');
  await waitFor('the loss of a replica', async () => {
    const { replicas } = await provider.as('operator').poolHealth(WIDOWED_POOL);
    return replicas.filter(({ state }) => state === 'ready').length === 1;
  });
}

async function afterFirstTurn(client: DaemonClient, sessionId: string): Promise<void> {
  await client.call('deleteSession', { path: [sessionId] });
  await client.run({ ...shortTask(randomUUID()), session_id: sessionId });
}

/** A task that runs on the pool's only slot until the daemon ends. */
async function held(client: DaemonClient, poolId: string): Promise<void> {
  const id = uuidOf(`holds the slot of ${poolId}`);
  await client.admit({ task_id: id, prompt: 'endless', model_ref: poolId });
  await waitFor(`a task on the slot of ${poolId}`, async () => {
    return (await client.task(id)).state === 'running';
  });
}

/** Pools of ours that another situation has drained serve again. */
async function allReady(provider: Provider): Promise<void> {
  const operator = provider.as('operator');
  if (provider.isOurs) await operator.call('undrainPool', { path: [DRAINING_POOL] });
  await waitFor('a daemon that is ready', async () => {
    return (await operator.call('getReadiness')).status === 200;
  });
}

async function learned(client: DaemonClient): Promise<void> {
  const lessons = Array.from({ length: LESSONS }, (_, n) =>
    client.run({ ...shortTask(uuidOf(`lesson ${n}`)), model_ref: SLOW_POOL }),
  );
  await Promise.all(lessons);
}

async function busyAndEmptyQueue(client: DaemonClient): Promise<void> {
  await held(client, BUSY_POOL);
  const { items } = await client.tasks({ state: 'queued' });
  for (const task of items) {
    if (task.pool_id === BUSY_POOL) await client.cancel(task.task_id);
  }
}

async function waiting(client: DaemonClient, taskId: string): Promise<void> {
  await held(client, BUSY_POOL);
  await client.admit({ ...shortTask(taskId), model_ref: BUSY_POOL });
}

/** Interactive tasks fill it: no policy takes their places away for a batch task. */
async function fullQueue(client: DaemonClient, poolId: string): Promise<void> {
  await held(client, poolId);
  await untilRefused(client, { prompt: 'fills the queue', model_ref: poolId });
}

/** Posts until the daemon answers 429. */
async function untilRefused(client: DaemonClient, task: TaskRequest): Promise<void> {
  for (let n = 0; n < MOST_FILLERS; n += 1) {
    const { status, text } = await client.call('createTask', { body: task });
    if (status === 429) return;
    if (status !== 202) throw new Error(`neither taken nor full: ${status} ${text}`);
  }
  throw new Error(`${MOST_FILLERS} tasks were taken, and none was refused`);
}

async function untilStatus(
  client: DaemonClient,
  operation: 'streamTask' | 'getSession',
  id: string,
  status: number,
): Promise<void> {
  await waitFor(`a ${status} of ${operation}`, async () => {
    return (await client.call(operation, { path: [id] })).status === status;
  });
}

async function withoutHost(provider: Provider): Promise<void> {
  const { id } = firstSync()['instance'] as { readonly id: string };
  const query = { instance_id: id };
  await provider.as('host').call('removeHost', { path: [HOST_ID], query });
}

async function registeredHost(provider: Provider): Promise<void> {
  const body = firstSync();
  const answer = await provider.as('host').call('syncHost', { path: [HOST_ID], body });
  if (answer.status !== 200) throw new Error(`no host: ${answer.status} ${answer.text}`);
}

/** The pool serves one model on one replica, whatever was done to it before. */
async function unchanged(operator: DaemonClient): Promise<void> {
  await operator.call('undrainPool', { path: [POOL_ID] });
  const { change } = await operator.poolHealth(POOL_ID);
  if (change?.kind === 'canary') await operator.call('rollbackPool', { path: [POOL_ID] });
  await waitFor(
    'the end of a change of model',
    async () => {
      const { change: left, replicas } = await operator.poolHealth(POOL_ID);
      return left === undefined && replicas.length === 1 && replicas[0]?.state === 'ready';
    },
    POOL_STARTS_MS,
  );
}

async function withCanary(operator: DaemonClient): Promise<void> {
  await unchanged(operator);
  const body = bodyOf('canaryPool');
  const answer = await operator.call('canaryPool', { path: [POOL_ID], body });
  if (answer.status !== 202) throw new Error(`no canary: ${answer.status} ${answer.text}`);
  await waitFor(
    `a canary of ${OTHER_MODEL}`,
    async () => {
      const { replicas } = await operator.poolHealth(POOL_ID);
      return replicas.some((each) => each.canary_percent !== undefined && each.state === 'ready');
    },
    POOL_STARTS_MS,
  );
}

/** What the operation needs in order to succeed. */
async function otherwiseSuccessful(
  provider: Provider,
  parameters: SituationParameters['an unexpected failure inside the daemon'],
): Promise<void> {
  const { operation, task_id: taskId, session_id: sessionId } = parameters;
  const pool = operation === 'verifyTask' ? { model_ref: PAIRED_POOL } : {};
  if (taskId !== undefined) await ended(provider.as('client'), { ...shortTask(taskId), ...pool });
  if (sessionId !== undefined) await afterFirstTurn(provider.as('client'), sessionId);
  const isPromotion = operation === 'promotePool' || operation === 'rollbackPool';
  if (isPromotion) await withCanary(provider.as('operator'));
  const isStart = operation === 'reloadPool' || operation === 'canaryPool';
  if (isStart) await unchanged(provider.as('operator'));
}
