/** pool-managerd and orchestratord as processes: register, serve, die, come back. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostView } from '@llama-orch/contracts';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CutProxy } from '../src/cut-proxy.ts';
import { startDaemon, untilGone, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { runHost, startHost, writeHostConfig, type HostConfigInput } from '../src/host-process.ts';
import { checkWholeStream, sha256 } from '../src/stream-check.ts';
import { simulatorPool } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

// Every test starts several processes, one after the other.
vi.setConfig({ testTimeout: 90_000 });

const TTL_MS = 1_500;
const REMOTE = {
  id: 'default',
  launch: 'remote',
  determinism: 'exact',
  model: { id: 'sim' },
} as const;

/** A host with simulators of its own, one process each. */
function hostOf(
  url: string,
  changes: HostConfigInput = {},
  flags: readonly string[] = ['--tokens', '150', '--token-delay-ms', '8'],
): HostConfigInput {
  const { id, launch, model, command, ctx, restart } = simulatorPool(flags);
  const pool = { id, launch, model, command, ctx, restart, replicas: 2 };
  return {
    host_id: 'gpu-a',
    orchestrator: { url },
    lease_ttl_ms: TTL_MS,
    pools: [pool as NonNullable<HostConfigInput['pools']>[number]],
    ...changes,
  };
}

async function hostsOf(daemon: DaemonProcess): Promise<readonly HostView[]> {
  const { body } = await daemon.client.call('listHosts');
  return (body as { readonly items: readonly HostView[] }).items;
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-orch-hosts-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('OC-POOL-3101 replicas of a host serve tasks, are told of, drained and revived', async () => {
  await using daemon = await startDaemon({ config: { pools: [REMOTE] } });
  expect((await daemon.client.poolHealth()).last_error).toBe('no host has registered replicas');
  const early = await daemon.client.postStream({ prompt: 'before any host' });
  await using host = await startHost(
    hostOf(daemon.url, {
      pools: [
        {
          ...hostOf('').pools?.[0],
          replica_labels: [{ zone: 'x' }, { zone: 'y' }],
        },
      ],
    }),
  );
  await daemon.client.untilReady(2);
  expect((await early.toEnd()).event).toBe('end');
  expect(await hostsOf(daemon)).toMatchObject([
    {
      host_id: 'gpu-a',
      gateway_url: host.gatewayUrl,
      overdue: false,
      replicas: [
        { replica_id: 'gpu-a.default-0', state: 'ready', leased: true },
        { replica_id: 'gpu-a.default-1', state: 'ready', leased: true },
      ],
    },
  ]);
  const placed = await daemon.client.run({
    prompt: 'where',
    placement: { labels: { zone: 'y' } },
  });
  checkWholeStream(placed.events);
  expect((await daemon.client.task(taskIdOf(placed))).replica).toMatchObject({
    replica_id: 'gpu-a.default-1',
  });

  await daemon.client.call('drainPool', { path: ['default'], body: { deadline_ms: 1_000 } });
  await waitFor('draining replicas', async () =>
    (await daemon.client.poolHealth()).replicas.every(({ state }) => state === 'draining'),
  );
  await daemon.client.call('undrainPool', { path: ['default'] });
  await daemon.client.untilReady(2);
});

test('OC-POOL-3142 a host that is killed: its engines go with it, its successor takes over, streams go on', async () => {
  await using daemon = await startDaemon({ config: { pools: [REMOTE] } });
  await using host = await startHost(hostOf(daemon.url));
  await daemon.client.untilReady(2);
  const task = { prompt: 'long', seed: 3 };
  const expected = checkWholeStream((await daemon.client.run(task)).events);
  const stream = await daemon.client.postStream(task);
  await stream.until('tokens', () => stream.tokens.length > 3);
  const engines = host.children();
  const [before] = await hostsOf(daemon);
  await host.kill9();
  await untilGone(engines);
  await host.start();
  await daemon.client.untilReady(2);
  await stream.toEnd();
  expect(checkWholeStream(stream.events)).toBe(expected);
  const [after] = await hostsOf(daemon);
  expect(after?.instance_id).not.toBe(before?.instance_id);
});

test('OC-POOL-3115 an orchestratord that is killed gets its hosts back, and goes on with what was running', async () => {
  await using daemon = await startDaemon({ config: { pools: [REMOTE] } });
  await using front = await new CutProxy(() => daemon.url).listen();
  await using host = await startHost(hostOf(front.url));
  await daemon.client.untilReady(2);
  const task = { prompt: 'over a restart', seed: 5 };
  const expected = checkWholeStream((await daemon.client.run(task)).events);
  const stream = await daemon.client.postStream(task);
  await stream.until('tokens', () => stream.tokens.length > 3);
  const taskId = taskIdOf(stream);
  const pids = () => host.children().map(({ pid }) => pid);
  const engines = pids();
  await daemon.kill9();
  await daemon.restart();
  await daemon.client.untilReady(2);
  const rest = await daemon.client.stream(taskId, stream.lastId);
  await rest.toEnd();
  expect(checkWholeStream([...stream.events, ...rest.events])).toBe(expected);
  expect(pids()).toEqual(engines);
});

test('SIGTERM lets running streams finish, and leaves nothing behind', async () => {
  await using daemon = await startDaemon({ config: { pools: [REMOTE] } });
  await using host = await startHost(hostOf(daemon.url, { shutdown_grace_ms: 20_000 }));
  await daemon.client.untilReady(2);
  const engines = host.children();
  const stream = await daemon.client.postStream({ prompt: 'to the end' });
  await stream.until('tokens', () => stream.tokens.length > 3);
  const exit = await host.terminate();
  expect(exit.code, exit.stderr).toBe(0);
  expect((await stream.toEnd()).event).toBe('end');
  checkWholeStream(stream.events);
  expect((await daemon.client.task(taskIdOf(stream))).attempts).toBe(1);
  await untilGone(engines);
  expect(await hostsOf(daemon)).toEqual([]);
});

describe('with keys', () => {
  const key = (n: string): string => `lo_${n.padEnd(43, n)}`;
  const keyOf = (id: string, text: string, scope: 'pool:write' | 'tasks:write' | 'admin') => ({
    id,
    tenant: 'default',
    sha256: sha256(text),
    scopes: [scope],
  });

  test('OC-POOL-3101 a host needs one with the scope pool:write, and logs a refusal once', async () => {
    const [hosts, clients, admin] = [key('h'), key('c'), key('a')];
    await using daemon = await startDaemon({
      config: {
        pools: [REMOTE],
        auth: {
          keys: [
            keyOf('hosts', hosts, 'pool:write'),
            keyOf('clients', clients, 'tasks:write'),
            keyOf('admin', admin, 'admin'),
          ],
        },
      },
    });
    const file = (name: string, text: string): string => {
      const path = join(directory, name);
      writeFileSync(path, `${text}\n`);
      return path;
    };
    for (const [keyFile, code] of [
      [undefined, 'UNAUTHORIZED'],
      [file('clients.key', clients), 'FORBIDDEN'],
    ] as const) {
      await using refused = await startHost(
        hostOf(daemon.url, {
          orchestrator: {
            url: daemon.url,
            ...(keyFile === undefined ? {} : { key_file: keyFile }),
          },
        }),
      );
      const lines = () => refused.logs().filter((line) => line['code'] === code);
      await waitFor('the refusal', () => lines().length > 0);
      await waitFor('further tries', () => refused.logs().length > 3);
      expect(lines()).toHaveLength(1);
      expect(JSON.stringify(refused.logs())).not.toContain(clients);
    }
    await using host = await startHost(
      hostOf(daemon.url, {
        orchestrator: { url: daemon.url, key_file: file('hosts.key', hosts) },
      }),
    );
    await waitFor('the host to register', async () => {
      const { body } = await daemon.client.call('listHosts', {
        headers: { authorization: `Bearer ${admin}` },
      });
      return (body as { items: HostView[] }).items[0]?.replicas.every((each) => each.leased);
    });
    expect(JSON.stringify(host.logs())).not.toContain(hosts);
  });
});

test('OC-POOL-3103 a second host of one id, and a pool nobody configured, are refused with what to do', async () => {
  await using daemon = await startDaemon({ config: { pools: [REMOTE] } });
  await using host = await startHost(hostOf(daemon.url));
  await daemon.client.untilReady(2);
  await using twin = await startHost(hostOf(daemon.url));
  await using stranger = await startHost(
    hostOf(daemon.url, {
      host_id: 'gpu-b',
      pools: [{ ...hostOf('').pools?.[0], id: 'unheard-of' }],
    }),
  );
  const reasonOf = (one: typeof twin, code: string) =>
    waitFor(`a refusal with ${code}`, () => {
      const line = one.logs().find((each) => each['code'] === code);
      return line === undefined ? undefined : String(line['reason']);
    });
  expect(await reasonOf(twin, 'CONFLICT')).toContain('give each host a host_id of its own');
  expect(await reasonOf(stranger, 'NOT_FOUND')).toContain('add it to the pools of llama-orch.yaml');
  expect(await hostsOf(daemon)).toMatchObject([{ host_id: 'gpu-a', overdue: false }]);
  expect(host.children().length).toBeGreaterThan(0);
});

describe('OC-POOL-3140 OC-CONFIG-6018 starts that must fail', () => {
  const pool = { id: 'default', model: { id: 'm', path: 'm.gguf' } };
  const base = { host_id: 'a', orchestrator: { url: 'http://127.0.0.1:9' }, pools: [pool] };
  test.each([
    ['an unknown key', { ...base, hostid: 'a' }, '/hostid'],
    ['a host id with a dot', { ...base, host_id: 'a.b' }, '/host_id'],
    [
      'a pool that belongs elsewhere',
      { ...base, pools: [{ ...pool, queue: {} }] },
      '/pools/0/queue',
    ],
    ['two pools of one id', { ...base, pools: [pool, pool] }, '/pools/1/id'],
    [
      'ids that grow too long',
      { ...base, pools: [{ ...pool, id: 'x'.repeat(62) }] },
      '/pools/0/id',
    ],
    [
      'every address without one to call',
      { ...base, gateway: { host: '0.0.0.0' } },
      '/gateway/advertise_url',
    ],
    [
      'two pools on a GPU of which one is not on demand',
      {
        ...base,
        pools: [
          { ...pool, devices: [0], on_demand: true },
          { ...pool, id: 'b', devices: [0] },
        ],
      },
      '/pools/1/devices',
    ],
    [
      'two models of one id',
      {
        ...base,
        models: [
          { id: 'x', path: 'x.gguf' },
          { id: 'x', path: 'y.gguf' },
        ],
      },
      '/models/1/id',
    ],
    [
      'external engines on demand',
      {
        ...base,
        pools: [
          {
            id: 'default',
            model: { id: 'm' },
            launch: 'external' as const,
            endpoints: ['http://127.0.0.1:9'],
            on_demand: true,
          },
        ],
      },
      '/pools/0/on_demand',
    ],
    [
      'a key file that is not there',
      { ...base, orchestrator: { url: 'http://127.0.0.1:9', key_file: 'none' } },
      '/orchestrator/key_file',
    ],
  ])('%s', async (_, config, path) => {
    const file = writeHostConfig(directory, config);
    const exit = await runHost(['--config', file, '--data-dir', join(directory, 'd')]);
    expect(exit.code, exit.stderr).toBe(2);
    expect(exit.stderr).toContain(path);
    expect(exit.stdout).toBe('');
  });

  test('no configuration at all', async () => {
    const exit = await runHost([]);
    expect(exit.code).toBe(2);
    expect(exit.stderr).toContain('--config');
    expect(exit.stderr).toContain('POOL_MANAGERD_CONFIG');
    expect(exit.stdout).toBe('');
  });

  test('--help prints the flags and starts nothing', async () => {
    const exit = await runHost(['--help']);
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(exit.stdout).toMatch(/^pool-managerd: .*--config FILE/s);
  });

  test('OC-POOL-3111 a data directory that another process holds', async () => {
    await using host = await startHost(hostOf('http://127.0.0.1:9'));
    const exit = await runHost(['--config', join(host.directory, 'host.yaml')]);
    expect(exit.code).toBe(2);
    expect(exit.stderr).toContain('is in use by another pool-managerd');
    expect(exit.stderr).not.toMatch(/\n\s+at /);
  });
});
