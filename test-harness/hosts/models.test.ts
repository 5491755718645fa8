/** Another model for a pool whose replicas are on two hosts, each a process with simulators of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PoolChangeStatus } from '@llama-orch/contracts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CutProxy } from '../src/cut-proxy.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { startHost, type HostConfigInput, type HostProcess } from '../src/host-process.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { simulatorPool } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

/** A few processes are started one after the other, on a machine that may be busy. */
const STARTS_MS = 90_000;
vi.setConfig({ testTimeout: 3 * STARTS_MS, hookTimeout: 2 * STARTS_MS });

let directory: string;
let daemon: DaemonProcess;
/** Where the hosts find the daemon, over its restarts. */
let front: CutProxy;
let hosts: readonly HostProcess[];

const fileOf = (name: string) => join(directory, `${name}.gguf`);
const modelOf = (id: string) => ({ id, path: fileOf(id) });

/** A simulated engine takes no model; `env` lets the command name one all the same. */
function hostOf(hostId: string, models: HostConfigInput['models']): HostConfigInput {
  const pool = simulatorPool(['--tokens', '60', '--token-delay-ms', '5']);
  const { id, launch, command = [], ctx, restart } = pool;
  return {
    host_id: hostId,
    orchestrator: { url: front.url },
    models: models ?? [],
    pools: [
      {
        id,
        launch,
        ctx,
        restart,
        replicas: 1,
        slots: 2,
        model: modelOf('first'),
        command: ['/usr/bin/env', 'SIM_MODEL={model}', ...command],
      } as NonNullable<HostConfigInput['pools']>[number],
    ],
  };
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'llama-orch-host-models-'));
  for (const name of ['first', 'second']) writeFileSync(fileOf(name), `the weights of ${name}`);
  daemon = await startDaemon({
    config: {
      pools: [{ id: 'default', launch: 'remote', determinism: 'exact', model: { id: 'first' } }],
    },
  });
  front = await new CutProxy(() => daemon.url).listen();
  const rare = modelOf('second');
  hosts = [
    await startHost(
      hostOf('gpu-a', [modelOf('second'), { ...rare, id: 'rare' }, { ...rare, id: 'forged' }]),
    ),
    await startHost(
      hostOf('gpu-b', [modelOf('second'), { ...rare, id: 'forged', sha256: 'f'.repeat(64) }]),
    ),
  ];
  await daemon.client.untilReady(2, 'default', STARTS_MS);
});
afterAll(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]();
  await front[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const change = (
  operation: 'reloadPool' | 'canaryPool' | 'promotePool' | 'rollbackPool',
  body?: object,
) => daemon.client.call(operation, { path: ['default'], ...(body === undefined ? {} : { body }) });

/** The change is over, and both hosts have one ready replica each. */
const settled = () =>
  waitFor(
    'the end of the change',
    async () => {
      const health = await daemon.client.poolHealth();
      const isDone = health.change === undefined && health.replicas.length === 2;
      return isDone && health.replicas.every(({ state }) => state === 'ready') && health;
    },
    STARTS_MS,
  );

const models = async () => (await settled()).replicas.map((each) => each.model_id);

test('OC-POOL-3130 a reload brings the model to every host, and streams that run are whole', async () => {
  const running = await Promise.all(
    Array.from({ length: 6 }, (_, n) => daemon.client.postStream({ prompt: `load ${n}` })),
  );
  const answer = await change('reloadPool', { new_model_ref: 'second' });
  expect(answer.status).toBe(202);
  expect(answer.body as PoolChangeStatus).toEqual({
    pool_id: 'default',
    change: { kind: 'reload', model_id: 'second' },
  });
  for (const each of running) {
    expect((await each.toEnd()).event).toBe('end');
    checkWholeStream(each.events);
  }
  const health = await settled();
  expect(health.last_error).toBeUndefined();
  expect(health.replicas.map((each) => each.model_id)).toEqual(['second', 'second']);
  const sets = new Set(health.replicas.map((each) => each.replica_set_id));
  expect(sets.size).toBe(1);
});

test.each([
  ['one host does not know', 'rare', 'host gpu-b: it has no model rare: add it to models'],
  ['does not come up on one host', 'forged', 'host gpu-b: the model file is sha256:'],
])('OC-POOL-3132 a model that %s is taken back on all', async (_, ref, reason) => {
  const before = await models();
  await change('reloadPool', { new_model_ref: ref });
  const health = await settled();
  expect(health.replicas.map((each) => each.model_id)).toEqual(before);
  expect(health.last_error).toContain(`${ref} was not brought in`);
  expect(health.last_error).toContain(reason);
  checkWholeStream((await daemon.client.run({ prompt: 'after' })).events);
});

test('OC-POOL-3134 a canary runs on one host until it is rolled back, and becomes the model of all when it is promoted', async () => {
  const [before] = await models();
  const next = before === 'second' ? 'first' : 'second';
  const canary = { new_model_ref: next, percent: 100, replicas: 1 };
  await change('canaryPool', canary);
  const health = await daemon.client.untilReady(3, 'default', STARTS_MS);
  expect(health.change).toEqual({ kind: 'canary', model_id: next, percent: 100 });
  const running = health.replicas.filter((each) => each.canary_percent === 100);
  expect(running.map((each) => each.model_id)).toEqual([next]);
  const task = await daemon.client.run({ prompt: 'to the canary' });
  const [started] = task.events;
  expect(started?.event === 'started' && started.data.replica_id).toBe(running[0]?.replica_id);
  await change('rollbackPool');
  expect(await models()).toEqual([before, before]);

  await change('canaryPool', canary);
  await daemon.client.untilReady(3, 'default', STARTS_MS);
  const promoted = await waitFor('the promotion', async () => {
    const { status } = await change('promotePool');
    return status === 202;
  });
  expect(promoted).toBe(true);
  expect(await models()).toEqual([next, next]);
});

test('OC-POOL-3133 a host that comes back with another model is brought to that of the pool', async () => {
  const [served] = await models();
  const other = served === 'second' ? 'first' : 'second';
  await change('reloadPool', { new_model_ref: other });
  expect(await models()).toEqual([other, other]);
  await change('reloadPool', { new_model_ref: 'second' });
  expect(await models()).toEqual(['second', 'second']);
  const [host] = hosts;
  await host?.kill9();
  await daemon.kill9();
  await daemon.restart();
  await host?.start();
  await waitFor(
    'both hosts',
    async () => {
      const { replicas } = await daemon.client.poolHealth();
      const ready = replicas.filter(({ state }) => state === 'ready');
      return ready.length === 2 && ready.every((each) => each.model_id === 'second');
    },
    STARTS_MS,
  );
});
