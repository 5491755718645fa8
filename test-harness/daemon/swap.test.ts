/** Three models on a device that holds one: loaded by the tasks that ask for them. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskRequest } from '@llama-orch/contracts';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startDaemon } from '../src/daemon-process.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { simulatorPool } from '../src/temp-config.ts';
import type { PoolInput } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

const STARTS_MS = 60_000;
vi.setConfig({ testTimeout: 3 * STARTS_MS, hookTimeout: STARTS_MS });

const MODELS = ['alpha', 'beta', 'gamma'] as const;

const sharedPool = (
  id: string,
  overrides: PoolInput = {},
  flags: readonly string[] = [],
): PoolInput =>
  simulatorPool(['--tokens', '8', '--token-delay-ms', '5', '--loading-ms', '100', ...flags], {
    id,
    model: { id },
    keep_alive_ms: -1,
    swap: { min_residency_ms: 0, load_ms: 300 },
    ...overrides,
  });

describe('OC-CORE-1121 OC-POOL-3034 pools that share a device', () => {
  test('nothing is loaded until a task asks for it, and never two at once', async () => {
    await using daemon = await startDaemon({
      config: { pools: MODELS.map((id) => sharedPool(id)) },
    });
    const { client } = daemon;
    const loaded = async () => {
      const all = await Promise.all(MODELS.map((id) => client.poolHealth(id)));
      return all.flatMap(({ pool_id, replicas }) => (replicas.length > 0 ? [pool_id] : []));
    };
    expect(await loaded()).toEqual([]);
    expect((await client.send('GET', '/readyz')).status).toBe(200);

    let mostAtOnce = 0;
    let isOver = false;
    const watch = (async () => {
      while (!isOver) mostAtOnce = Math.max(mostAtOnce, (await loaded()).length);
    })();
    const asked = Array.from({ length: 12 }, (_, n) => MODELS[n % 3] ?? 'alpha');
    const streams = await Promise.all(
      asked.map((model_ref) => client.run({ prompt: 'p', model_ref })),
    );
    isOver = true;
    await watch;
    for (const stream of streams) expect(stream.terminal?.event).toBe('end');
    expect(mostAtOnce).toBe(1);
  });

  test('what a task is told includes the load, and why it waits', async () => {
    await using daemon = await startDaemon({
      config: {
        pools: [
          sharedPool('alpha', { swap: { min_residency_ms: 0, load_ms: 7_000 } }),
          sharedPool('beta'),
        ],
      },
    });
    const { client } = daemon;
    const admitted = await client.admit({ prompt: 'p', model_ref: 'alpha' });
    expect(admitted.predicted_start_ms).toBeGreaterThan(6_000);
    const { task_id: taskId } = admitted;
    const now = await client.call('explainTask', { path: [taskId] });
    expect(now.text).toContain('its model is not loaded');
    await client.untilEnded(taskId, STARTS_MS);
    const after = await client.call('explainTask', { path: [taskId] });
    expect(after.text).toContain('its model was not loaded');
  });

  test('a pool that nobody asks for is unloaded after its keep-alive, and comes back for the next task', async () => {
    await using daemon = await startDaemon({
      config: { pools: [sharedPool('alpha', { keep_alive_ms: 200 })] },
    });
    const { client } = daemon;
    for (let turn = 0; turn < 2; turn++) {
      const stream = await client.run({ prompt: 'p' });
      expect(stream.terminal?.event).toBe('end');
      await waitFor('the unload', async () => {
        const health = await client.poolHealth('alpha');
        return health.replicas.length === 0 && health.loaded === false;
      });
    }
  });
});

describe('OC-CTRL-2088 OC-CORE-1124 what a model has in the cache when it makes room for another', () => {
  const LONG = 'a river stone in morning light '.repeat(8);
  const one = { replicas: 1, slots: 2 };

  function newFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'llama-orch-kv-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return folder;
  }

  const startPair = (flags: readonly string[]): Promise<DaemonProcess> =>
    startDaemon({
      config: { pools: [sharedPool('alpha', one, flags), sharedPool('beta', one, flags)] },
    });

  /** Runs a task; tells whether it was warm, and how much of its prompt was cached. */
  async function run({ client }: DaemonProcess, task: TaskRequest) {
    const { events, terminal, text } = await client.run({ determinism: 'best_effort', ...task });
    const [started] = events;
    if (started?.event !== 'started' || terminal?.event !== 'end') throw new Error('did not run');
    const { cached_tokens: cachedTokens = 0 } = terminal.data;
    return { isWarm: started.data.kv_warmth, cachedTokens, text };
  }

  test('a session goes on warm', async () => {
    const folder = newFolder();
    await using daemon = await startPair(['--slot-save-path', folder]);
    const session = { session_id: randomUUID(), model_ref: 'alpha', prompt: LONG };
    expect(await run(daemon, session)).toMatchObject({ isWarm: false, cachedTokens: 0 });
    await run(daemon, { prompt: 'p', model_ref: 'beta' });
    expect(await daemon.client.session(session.session_id)).toMatchObject({ kv_warmth: false });
    expect(readdirSync(folder)).toHaveLength(1);

    const next = await run(daemon, { ...session, prompt: `${LONG} and on` });
    expect(next.isWarm).toBe(true);
    expect(next.cachedTokens).toBeGreaterThan(LONG.length / 2);
    expect(await daemon.client.session(session.session_id)).toMatchObject({ kv_warmth: true });
    // It is saved once more, and takes no more room.
    await run(daemon, { prompt: 'p', model_ref: 'beta' });
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test('so does a conversation without a session', async () => {
    await using daemon = await startPair(['--slot-save-path', newFolder()]);
    const asked = { role: 'user', content: LONG } as const;
    const { text } = await run(daemon, { messages: [asked], model_ref: 'alpha' });
    await run(daemon, { prompt: 'p', model_ref: 'beta' });
    const next = await run(daemon, {
      messages: [asked, { role: 'assistant', content: text }, { role: 'user', content: '?' }],
      model_ref: 'alpha',
    });
    expect(next.cachedTokens).toBeGreaterThan(LONG.length / 2);
  });

  test('a session that was deleted meanwhile begins anew', async () => {
    await using daemon = await startPair(['--slot-save-path', newFolder()]);
    const id = randomUUID();
    const session = { session_id: id, model_ref: 'alpha', prompt: LONG };
    await run(daemon, session);
    await run(daemon, { prompt: 'p', model_ref: 'beta' });
    expect((await daemon.client.call('deleteSession', { path: [id] })).status).toBe(204);
    expect(await run(daemon, session)).toMatchObject({ isWarm: false, cachedTokens: 0 });
  });

  test('of strict tasks nothing is saved where reuse could change their bytes, else it is', async () => {
    for (const isExact of [false, true]) {
      const folder = newFolder();
      const flags = ['--slot-save-path', folder, ...(isExact ? ['--exact-prefix-reuse'] : [])];
      await using daemon = await startPair(flags);
      const session: TaskRequest = {
        session_id: randomUUID(),
        model_ref: 'alpha',
        prompt: LONG,
        determinism: 'strict',
      };
      await run(daemon, session);
      await run(daemon, { prompt: 'p', model_ref: 'beta' });
      expect(readdirSync(folder)).toHaveLength(isExact ? 1 : 0);
      expect((await run(daemon, session)).isWarm).toBe(isExact);
    }
  });

  test('a session whose KV is not there any more goes on cold', async () => {
    // Without a folder the simulators keep it in their own memory.
    await using daemon = await startPair([]);
    const session = { session_id: randomUUID(), model_ref: 'alpha', prompt: LONG };
    await run(daemon, session);
    await run(daemon, { prompt: 'p', model_ref: 'beta' });
    expect(await run(daemon, session)).toMatchObject({ isWarm: false, cachedTokens: 0 });
  });
});
