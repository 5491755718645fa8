/** Another model for a pool that works: reload, canary, promotion and rollback over HTTP. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PoolChangeStatus, TaskRequest } from '@llama-orch/contracts';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import type { EventStream } from '../src/event-stream.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { embeddedPool, simulatorPool, TINY_HAIKU } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

/** A few processes are started one after the other, on a machine that may be busy. */
const STARTS_MS = 90_000;
vi.setConfig({ testTimeout: 2 * STARTS_MS, hookTimeout: STARTS_MS });

let directory: string;
let daemon: DaemonProcess;
const digests = new Map<string, string>();

/** A simulated engine takes no model; `env` lets the command name one all the same. */
function poolOf(name: string) {
  const pool = simulatorPool(['--tokens', '60', '--token-delay-ms', '5'], {
    slots: 2,
    model: { id: name, path: join(directory, `${name}.gguf`) },
  });
  return { ...pool, command: ['/usr/bin/env', 'SIM_MODEL={model}', ...(pool.command ?? [])] };
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'llama-orch-models-'));
  for (const name of ['first', 'second', 'third']) {
    const bytes = `the weights of ${name}`;
    writeFileSync(join(directory, `${name}.gguf`), bytes);
    digests.set(name, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  }
  daemon = await startDaemon({
    config: {
      models: [
        {
          id: 'second',
          path: join(directory, 'second.gguf'),
          sha256: (digests.get('second') ?? '').slice(7),
        },
        { id: 'third', path: join(directory, 'third.gguf') },
        { id: 'forged', path: join(directory, 'third.gguf'), sha256: 'f'.repeat(64) },
      ],
      pools: [poolOf('first')],
    },
  });
  await daemon.client.untilReady(2, 'default', STARTS_MS);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const change = (
  operation: 'reloadPool' | 'canaryPool' | 'promotePool' | 'rollbackPool',
  body?: object,
) => daemon.client.call(operation, { path: ['default'], ...(body === undefined ? {} : { body }) });

/** The change is over, and so many replicas are all there is. */
const settled = (replicas: number) =>
  waitFor(
    'the end of the change',
    async () => {
      const health = await daemon.client.poolHealth();
      const isDone = health.change === undefined && health.replicas.length === replicas;
      return isDone && health.replicas.every(({ state }) => state === 'ready') && health;
    },
    STARTS_MS,
  );

async function servedBy(task: TaskRequest = { prompt: 'p' }): Promise<string> {
  return digestOf(await daemon.client.run(task));
}

function digestOf(stream: EventStream): string {
  checkWholeStream(stream.events);
  const [started] = stream.events;
  if (started?.event !== 'started') throw new Error('it did not start');
  return started.data.model_digest ?? '';
}

describe('ORCH-2102 OC-CTRL-2003 reload', () => {
  test('OC-CTRL-2009 brings in the new model under load, and every stream is whole', async () => {
    expect(await servedBy()).toBe(digests.get('first'));
    expect((await daemon.client.poolHealth()).configured_model_id).toBeUndefined();
    const running = await Promise.all(
      Array.from({ length: 8 }, (_, n) => daemon.client.postStream({ prompt: `load ${n}` })),
    );
    const answer = await change('reloadPool', { new_model_ref: 'second' });
    expect(answer.status).toBe(202);
    expect(answer.body as PoolChangeStatus).toEqual({
      pool_id: 'default',
      change: { kind: 'reload', model_id: 'second' },
    });
    for (const each of running) {
      expect((await each.toEnd()).event).toBe('end');
      expect([digests.get('first'), digests.get('second')]).toContain(digestOf(each));
    }
    const health = await settled(2);
    expect(health.last_error).toBeUndefined();
    expect(health.replicas.map((each) => each.model_id)).toEqual(['second', 'second']);
    expect(await servedBy()).toBe(digests.get('second'));
    expect(await servedBy({ prompt: 'p', model_ref: 'second' })).toBe(digests.get('second'));
    const { body } = await daemon.client.call('listPools');
    const served = { model_id: 'second', configured_model_id: 'first' };
    expect(body).toMatchObject({ items: [served] });
    expect(health).toMatchObject(served);
  });

  test('OC-POOL-3032 of a model that is not what it should be leaves all as it was', async () => {
    const before = (await settled(2)).replicas.map((each) => each.replica_id);
    expect((await change('reloadPool', { new_model_ref: 'forged' })).status).toBe(202);
    const health = await settled(2);
    expect(health.last_error).toContain('forged was not brought in, second serves on');
    expect(health.replicas.map((each) => each.replica_id)).toEqual(before);
    expect(await servedBy()).toBe(digests.get('second'));
  });

  test('is refused for what is no model, no pool, or in the middle of a change', async () => {
    const path = '/v1/pools/default/reload';
    const refused = (status: number, at: string, ref: string) =>
      daemon.client.refused('POST', at, status, { body: { new_model_ref: ref } });
    expect((await refused(400, path, 'unknown')).details).toMatchObject([
      { path: '/new_model_ref' },
    ]);
    expect((await refused(404, '/v1/pools/none/reload', 'second')).code).toBe('NOT_FOUND');
    expect((await daemon.client.refused('POST', '/v1/pools/default/rollback', 409)).code).toBe(
      'CONFLICT',
    );
    await change('reloadPool', { new_model_ref: join(directory, 'third.gguf') });
    expect((await refused(409, path, 'second')).code).toBe('CONFLICT');
    await settled(2);
    expect(await servedBy()).toBe(digests.get('third'));
  });
});

describe('ORCH-3033 canary', () => {
  test('gets its share of the sessions, each of which stays on its side, until it is rolled back', async () => {
    const stable = await servedBy();
    expect((await change('canaryPool', { new_model_ref: 'second', percent: 50 })).status).toBe(202);
    const health = await daemon.client.untilReady(3, 'default', STARTS_MS);
    expect(health.change).toEqual({ kind: 'canary', model_id: 'second', percent: 50 });
    expect(health.replicas.map((each) => each.canary_percent)).toEqual([undefined, undefined, 50]);
    const sides = await Promise.all(
      Array.from({ length: 24 }, async () => {
        const task = { prompt: 'p', max_tokens: 2, session_id: randomUUID() };
        const first = await servedBy(task);
        expect(await servedBy(task)).toBe(first);
        return first;
      }),
    );
    // All of 24 on one side would be a chance of one in eight million.
    expect(new Set(sides)).toEqual(new Set([stable, digests.get('second')]));

    expect((await change('rollbackPool')).status).toBe(202);
    expect((await settled(2)).replicas.every((each) => each.canary_percent === undefined)).toBe(
      true,
    );
    const after = await Promise.all(Array.from({ length: 8 }, () => servedBy()));
    expect(new Set(after)).toEqual(new Set([stable]));
  });

  test('gets nothing while it is not ready, and a killed one leaves its tasks to the others', async () => {
    const stable = await servedBy();
    await change('canaryPool', { new_model_ref: 'second', percent: 100 });
    const health = await daemon.client.untilReady(3, 'default', STARTS_MS);
    expect(await servedBy()).toBe(digests.get('second'));
    const canary = health.replicas.find((each) => each.canary_percent === 100);
    const port = new URL(canary?.url ?? '').port;
    const [pid] = daemon.children().filter((child) => child.command.includes(port));
    process.kill(pid?.pid ?? 0, 'SIGKILL');
    await waitFor('the canary to be missed', async () => {
      const { replicas } = await daemon.client.poolHealth();
      return replicas.some((each) => each.canary_percent === 100 && each.state !== 'ready');
    });
    expect([stable, digests.get('second')]).toContain(await servedBy());
    await change('rollbackPool');
    await settled(2);
  });

  test('becomes the model of the pool when it is promoted', async () => {
    await change('canaryPool', { new_model_ref: 'second', percent: 10 });
    const { replicas } = await daemon.client.untilReady(3, 'default', STARTS_MS);
    const canary = replicas.find((each) => each.canary_percent === 10)?.replica_id;
    expect((await change('promotePool')).status).toBe(202);
    const health = await settled(2);
    expect(health.replicas.map((each) => each.replica_id)).toContain(canary);
    expect(await servedBy()).toBe(digests.get('second'));
    const path = '/v1/pools/default/canary';
    const body = { new_model_ref: 'third', percent: 1, replicas: 3 };
    expect((await daemon.client.refused('POST', path, 400, { body })).details).toMatchObject([
      { path: '/replicas' },
    ]);
  });
});

test('ORCH-3037 an embedded engine is reloaded with a model whose digest is prescribed', async () => {
  const sha256 = createHash('sha256').update(readFileSync(TINY_HAIKU)).digest('hex');
  const models = [{ id: 'again', path: TINY_HAIKU, sha256 }];
  await using own = await startDaemon({
    config: { models, pools: [embeddedPool({ replicas: 1 })] },
  });
  await own.client.untilReady(1, 'default', STARTS_MS);
  const before = await own.client.run({ prompt: 'Write a haiku.', seed: 7 });
  await own.client.call('reloadPool', { path: ['default'], body: { new_model_ref: 'again' } });
  await waitFor(
    'the other replica',
    async () => {
      const { replicas, change: left } = await own.client.poolHealth();
      return left === undefined && replicas[0]?.replica_id === 'default-0.1';
    },
    STARTS_MS,
  );
  const after = await own.client.run({ prompt: 'Write a haiku.', seed: 7 });
  expect(after.text).toBe(before.text);
});
