/** What operators call: discovery, health, drain and undrain, events, the contracts themselves. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  API_VERSION,
  type Capabilities,
  type DrainStatus,
  type EventPage,
  type Readiness,
  type ReplicaSetList,
} from '@llama-orch/contracts';
import { validateResponse } from '@llama-orch/contracts/responses';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf, type EventStream } from '../src/event-stream.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { externalPool, PROJECT_ROOT } from '../src/temp-config.ts';
import { holdsFor, waitFor } from '../src/wait-for.ts';

let sims: LlamaCppSim[];
let daemon: DaemonProcess;

beforeAll(async () => {
  sims = await Promise.all(
    [0, 1].map(() => startLlamaCppSim({ slots: 2, tokens: 400, tokenDelayMs: 5 })),
  );
  daemon = await startDaemon({
    config: {
      pools: [
        externalPool(
          sims.map((sim) => sim.url),
          { slots: 2, determinism: 'exact', model: { id: 'sim', aliases: ['latest'] } },
        ),
      ],
    },
  });
  await daemon.client.untilReady(2);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await Promise.all(sims.map((sim) => sim[Symbol.asyncDispose]()));
});

describe('discovery', () => {
  test('ORCH-3096 OC-CTRL-2060 OC-CTRL-2061 capabilities name the version of the contract and what is served', async () => {
    const { status, body } = await daemon.client.call('getCapabilities');
    expect(status).toBe(200);
    const { api_version: version, engines } = body as Capabilities;
    expect(version).toBe(API_VERSION);
    expect(engines).toHaveLength(1);
    expect(engines[0]).toMatchObject({
      engine: 'llamacpp',
      ctx_max: 4096,
      supported_workloads: ['completion'],
      models: [{ id: 'sim', pool_id: 'default', aliases: ['latest'] }],
    });
  });

  test('ORCH-2104 ORCH-3007 OC-CTRL-2004 replicas that are alike form one set', async () => {
    const { body } = await daemon.client.call('listReplicaSets');
    const { items } = body as ReplicaSetList;
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ slots_total: 4, engine: 'llamacpp', pool_id: 'default' });
    expect(items[0]?.replicas.map((replica) => replica.state)).toEqual(['ready', 'ready']);
  });

  test('ORCH-2103 OC-CTRL-2001 pools and their health agree', async () => {
    const { body } = await daemon.client.call('listPools');
    expect(body).toMatchObject({
      items: [{ id: 'default', launch: 'external', live: true, ready: true, draining: false }],
    });
    const health = await daemon.client.poolHealth();
    expect(health).toMatchObject({ live: true, ready: true, metrics: { slots_total: 4 } });
    expect(health.last_error).toBeUndefined();
  });

  test('ORCH-2104 OC-CTRL-2001 OC-CTRL-2004 running tasks show in slots and load', async () => {
    const streams = await Promise.all(
      [0, 1, 2].map((n) => daemon.client.postStream({ prompt: `busy ${n}` })),
    );
    await Promise.all(streams.map((each) => each.until('a token', () => each.tokens.length > 0)));
    const { metrics } = await daemon.client.poolHealth();
    expect(metrics).toMatchObject({ running: 3, slots_free: 1, queue_depth: 0 });
    const { body } = await daemon.client.call('listReplicaSets');
    expect((body as ReplicaSetList).items[0]).toMatchObject({ load: 0.75, slots_free: 1 });
    for (const each of streams) await daemon.client.cancel(taskIdOf(each));
  });

  test('ORCH-3044 the contracts are served as they stand', async () => {
    for (const [operation, file] of [
      ['getDataContract', 'data.yaml'],
      ['getControlContract', 'control.yaml'],
      ['getPoolContract', 'pool.yaml'],
    ] as const) {
      const { status, text } = await daemon.client.call(operation);
      expect(status).toBe(200);
      expect(text).toBe(readFileSync(join(PROJECT_ROOT, 'contracts', 'openapi', file), 'utf8'));
    }
  });
});

describe('OC-CTRL-2050 probes', () => {
  test('a serving daemon is live and ready', async () => {
    expect((await daemon.client.call('getLiveness')).body).toEqual({ status: 'ok' });
    const { status, body } = await daemon.client.call('getReadiness');
    expect(status).toBe(200);
    const names = (body as Readiness).checks.map((check) => check.name);
    expect(names).toEqual(['ledger', 'pool:default']);
  });

  test('a daemon without engines is live, not ready, and says which dependency is down', async () => {
    await using lonely = await startDaemon({
      config: { pools: [externalPool(['http://127.0.0.1:9'])] },
    });
    expect((await lonely.client.call('getLiveness')).status).toBe(200);
    const { status, body } = await lonely.client.call('getReadiness');
    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'POOL_UNREADY', details: [{ path: 'pool:default' }] });
    // A task waits for an engine that may still come.
    const { task_id: id } = await lonely.client.admit({ prompt: 'p' });
    expect((await lonely.client.task(id)).state).toBe('queued');
    expect((await lonely.client.poolHealth()).ready).toBe(false);
  });
});

describe('ORCH-2101 OC-CTRL-2002 drain', () => {
  afterEach(async () => {
    await daemon.client.call('undrainPool', { path: ['default'] });
    await daemon.client.untilReady(2);
  });

  test('running tasks finish, waiting ones wait, new ones get 503, undrain lets all go on', async () => {
    // One after the other: the first four take the slots.
    const streams: EventStream[] = [];
    for (let n = 0; n < 6; n += 1) {
      streams.push(await daemon.client.postStream({ prompt: `drain ${n}` }));
    }
    const running = streams.slice(0, 4);
    const waiting = streams.slice(4);
    await Promise.all(running.map((each) => each.until('a token', () => each.tokens.length > 0)));

    const drained = await daemon.client.call('drainPool', {
      path: ['default'],
      body: { deadline_ms: 20_000 },
    });
    expect(drained.status).toBe(202);
    expect(drained.body).toMatchObject({ draining: true, running: 4 });
    expect((drained.body as DrainStatus).deadline_ms).toBeGreaterThan(10_000);

    const refused = await daemon.client.call('createTask', { body: { prompt: 'new' } });
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({
      code: 'POOL_UNREADY',
      pool_id: 'default',
      retriable: true,
    });

    for (const each of running) {
      expect((await each.toEnd()).event).toBe('end');
      checkWholeStream(each.events);
    }
    await holdsFor(
      'waiting tasks wait',
      () => waiting.every((each) => each.events.length === 0),
      300,
    );
    expect((await daemon.client.poolHealth()).draining).toBe(true);
    expect((await daemon.client.task(taskIdOf(waiting[0] ?? streams[0]!))).state).toBe('queued');

    const undrained = await daemon.client.call('undrainPool', { path: ['default'] });
    expect(undrained.status).toBe(202);
    expect(undrained.body).toMatchObject({ draining: false });
    for (const each of waiting) {
      expect((await each.toEnd()).event).toBe('end');
      checkWholeStream(each.events);
    }
    expect((await daemon.client.call('undrainPool', { path: ['default'] })).status).toBe(202);
    expect((await daemon.client.poolHealth()).draining).toBe(false);
  });

  test('at the deadline strict tasks wait for the end of the drain, others end with a typed error', async () => {
    await daemon.client.untilReady(2);
    const strict = await daemon.client.postStream({ prompt: 'strict', seed: 1 });
    const loose = await daemon.client.postStream({ prompt: 'loose', determinism: 'best_effort' });
    for (const each of [strict, loose]) await each.until('a token', () => each.tokens.length > 0);
    await daemon.client.call('drainPool', { path: ['default'], body: { deadline_ms: 50 } });
    const terminal = await loose.toEnd();
    expect(terminal).toMatchObject({ event: 'error', data: { code: 'POOL_UNREADY' } });
    await waitFor('the strict task to wait', async () => {
      return (await daemon.client.task(taskIdOf(strict))).state === 'queued';
    });
    await waitFor('free engines', () => sims.every((sim) => sim.stats.busySlots === 0));
    await daemon.client.call('undrainPool', { path: ['default'] });
    expect((await strict.toEnd()).event).toBe('end');
    checkWholeStream(strict.events);
  });
});

describe('events', () => {
  const page = async (after: number, limit: number): Promise<EventPage> =>
    (await daemon.client.call('listEvents', { query: { after, limit } })).body as EventPage;

  test('pages follow each other without gaps and carry no text of a task', async () => {
    const nonce = 'xyzzy-nonce-of-a-prompt';
    const done = await daemon.client.run({
      prompt: nonce,
      max_tokens: 3,
      metadata: { secret: nonce },
      stop: [nonce],
    });
    let seq = 0;
    let text = '';
    for (;;) {
      const { items, next_after: next } = await page(seq, 7);
      if (items.length === 0) break;
      for (const item of items) expect(item.seq).toBe((seq += 1));
      expect(next).toBe(seq);
      text += JSON.stringify(items);
    }
    expect(text).not.toContain(nonce);
    expect(text).not.toContain(JSON.stringify(done.text).slice(1, -1));
    expect(text).toContain(taskIdOf(done));
    expect(text).toContain('task.accepted');
    expect(text).toContain('task.ended');
  });

  test('the stream follows them as they happen, and can be resumed', async () => {
    const { items } = await page(0, 1_000);
    const last = items.at(-1)?.seq ?? 0;
    const check = (_event: string, data: unknown) => {
      expect(validateResponse('listEvents', 200, { items: [data], next_after: 0 }).ok).toBe(true);
    };
    const stream = await daemon.client.streamAt(`/v1/events?stream=true&after=${last}`, { check });
    await daemon.client.run({ prompt: 'watched', max_tokens: 2 });
    await stream.until('three events', () => stream.events.length >= 3, 5_000);
    expect(stream.events.map((event) => event.id)).toEqual(
      stream.events.map((_, n) => last + 1 + n),
    );
    await stream.cut();
    const resumed = await daemon.client.streamAt('/v1/events?stream=true', {
      check,
      headers: { 'last-event-id': String(last + 1) },
    });
    await resumed.until('an event', () => resumed.events.length > 0);
    expect(resumed.events[0]?.id).toBe(last + 2);
    await resumed.cut();
  });
});
