import { validateConfig, type PoolConfig } from '@llama-orch/contracts';
import { describe, expect, test } from 'vitest';

import { crossCheck, sharedDevices } from './cross-checks.ts';

function pathsOf(value: object): readonly string[] {
  const checked = validateConfig(value);
  if (!checked.ok) throw new Error(JSON.stringify(checked.details));
  return crossCheck(checked.value).map((fault) => fault.path);
}

const model = { id: 'm', path: 'm.gguf' };
const pool = (fields: object = {}) => ({ id: 'a', model, ...fields });
const external = (id: string, ...endpoints: string[]) => ({
  id,
  model: { id: 'm' },
  launch: 'external',
  endpoints,
});
let made = 0;
const key = (fields: object = {}) => {
  made += 1;
  const sha256 = made.toString(16).padStart(64, '0');
  return { id: `k${made}`, tenant: 'default', sha256, scopes: ['admin'], ...fields };
};
const command = (...words: string[]) => pool({ launch: 'process', command: words });

describe('OC-CONFIG-6004 without keys the daemon binds', () => {
  test.each(['127.0.0.1', '127.9.9.9', '::1', '0:0:0:0:0:0:0:1', 'localhost', 'LOCALHOST'])(
    '%s',
    (host) => {
      expect(pathsOf({ server: { host } })).toEqual([]);
    },
  );

  test.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    'example.com',
    '127.0.0.1.example.com',
    '1',
  ])('not %s', (host) => {
    expect(pathsOf({ server: { host } })).toEqual(['/server/host']);
  });
});

describe('OC-CONFIG-6004 with a key the daemon binds', () => {
  test.each(['0.0.0.0', '::', '10.0.0.1', 'example.com'])('%s', (host) => {
    expect(pathsOf({ server: { host }, auth: { keys: [key()] } })).toEqual([]);
  });
});

test('OC-CONFIG-6020 a pool that takes turns or promises no bytes is not audited', () => {
  const audit = { share: 0.1 };
  expect(pathsOf({ pools: [pool({ audit })] })).toEqual([]);
  const paths = (fields: object) => pathsOf({ pools: [pool({ ...fields, audit })] });
  expect(paths({ keep_alive_ms: 1_000 })).toEqual(['/pools/0/audit/share']);
  expect(paths({ determinism: 'none' })).toEqual(['/pools/0/audit/share']);
  expect(pathsOf({ pools: [pool({ keep_alive_ms: 1_000, audit: { share: 0 } })] })).toEqual([]);
});

describe('OC-CONFIG-6011', () => {
  test('a key belongs to a tenant that is listed, or to default', () => {
    const keys = [key(), key({ tenant: 'acme' }), key({ tenant: 'acne' })];
    expect(pathsOf({ tenants: [{ id: 'acme' }], auth: { keys } })).toEqual(['/auth/keys/2/tenant']);
  });

  test('ids and hashes of keys are unique', () => {
    const one = key();
    const keys = [one, key({ id: one.id }), key({ sha256: one.sha256 })];
    expect(pathsOf({ auth: { keys } })).toEqual(['/auth/keys/1/id', '/auth/keys/2/sha256']);
  });

  test('ids of tenants are unique, and default may be among them', () => {
    const tenants = [{ id: 'default', weight: 2 }, { id: 'a' }, { id: 'a' }];
    expect(pathsOf({ tenants })).toEqual(['/tenants/2/id']);
  });

  test('a burst needs a rate', () => {
    const tenants = [
      { id: 'a', burst: 2 },
      { id: 'b', burst: 2, rps: 0.5 },
    ];
    expect(pathsOf({ tenants })).toEqual(['/tenants/0/burst']);
  });
});

describe('OC-CONFIG-6003', () => {
  test('the default has no fault', () => {
    expect(pathsOf({})).toEqual([]);
  });

  test('pool ids are unique', () => {
    expect(pathsOf({ pools: [pool(), pool({ id: 'b' }), pool()] })).toEqual(['/pools/2/id']);
  });

  test('an endpoint belongs to one replica of one pool', () => {
    const pools = [external('a', 'http://x:1', 'http://x:1'), external('b', 'http://x:1')];
    expect(pathsOf({ pools })).toEqual(['/pools/0/endpoints/1', '/pools/1/endpoints/0']);
  });

  test('external replicas are counted by their endpoints', () => {
    const two = external('a', 'http://x:1', 'http://x:2');
    expect(pathsOf({ pools: [{ ...two, replicas: 2 }] })).toEqual([]);
    expect(pathsOf({ pools: [{ ...two, replicas: 3 }] })).toEqual(['/pools/0/replicas']);
  });

  test('OC-CONFIG-6014 metrics are read at another place for each replica', () => {
    const pathsAt = (metrics_url: string, ...endpoints: string[]) =>
      pathsOf({ pools: [{ ...external('a', ...endpoints), engine: 'triton', metrics_url }] });
    const [one, other, beside] = ['http://x:8000', 'http://y:8000', 'http://x:8010'];
    expect(pathsAt('http://x:9/metrics', one)).toEqual([]);
    expect(pathsAt('http://{host}:9/metrics', one, other)).toEqual([]);
    expect(pathsAt('http://x:9/metrics', one, other)).toEqual(['/pools/0/metrics_url']);
    expect(pathsAt('http://{host}:9/metrics', one, beside)).toEqual(['/pools/0/metrics_url']);
    expect(pathsAt('http://{host}:99999/metrics', one)).toEqual(['/pools/0/metrics_url']);
    const launched = {
      ...command('tritonserver', '--http-port', '{port}'),
      engine: 'triton',
      metrics_url: 'http://127.0.0.1:8002/metrics',
    };
    expect(pathsOf({ pools: [{ ...launched, replicas: 1 }] })).toEqual([]);
    expect(pathsOf({ pools: [{ ...launched, replicas: 2 }] })).toEqual(['/pools/0/metrics_url']);
  });

  test('class capacities fit the pool and leave room', () => {
    const queue = (fields: object) => ({ pools: [pool({ queue: { capacity: 4, ...fields } })] });
    expect(pathsOf(queue({ interactive_capacity: 4, batch_capacity: 4 }))).toEqual([]);
    expect(pathsOf(queue({ interactive_capacity: 0 }))).toEqual([]);
    expect(pathsOf(queue({ interactive_capacity: 5, batch_capacity: 5 }))).toEqual([
      '/pools/0/queue/interactive_capacity',
      '/pools/0/queue/batch_capacity',
    ]);
    expect(pathsOf(queue({ interactive_capacity: 0, batch_capacity: 0 }))).toEqual([
      '/pools/0/queue',
    ]);
  });

  test('there are at most as many replica labels as replicas', () => {
    const labels = [{ zone: 'a' }, { zone: 'b' }];
    expect(pathsOf({ pools: [pool({ replicas: 2, replica_labels: labels })] })).toEqual([]);
    expect(pathsOf({ pools: [pool({ replica_labels: labels })] })).toEqual([
      '/pools/0/replica_labels',
    ]);
    const two = { ...external('a', 'http://x:1', 'http://x:2'), replica_labels: labels };
    expect(pathsOf({ pools: [two] })).toEqual([]);
  });

  test('a restart delay starts below its bound', () => {
    const restart = { initial_delay_ms: 200, max_delay_ms: 100 };
    expect(pathsOf({ pools: [pool({ restart })] })).toEqual(['/pools/0/restart/initial_delay_ms']);
  });

  test('a command uses {port}, and only what can be filled in', () => {
    expect(
      pathsOf({ pools: [command('s', '--port={port}', '{model}', '{ctx}', '{slots}')] }),
    ).toEqual([]);
    expect(pathsOf({ pools: [command('s', '{prot}')] })).toEqual([
      '/pools/0/command/1',
      '/pools/0/command',
    ]);
  });

  test('a command that uses {model} needs its path', () => {
    const pools = [{ ...command('s', '{port}', '{model}'), model: { id: 'm' } }];
    expect(pathsOf({ pools })).toEqual(['/pools/0/model/path']);
  });

  test('OC-CONFIG-6013 a workload is one that the engine has', () => {
    const workloads = ['completion', 'embedding', 'rerank'];
    expect(pathsOf({ pools: [pool({ workloads })] })).toEqual([]);
    const tgi = { ...external('a', 'http://x:1'), engine: 'tgi', workloads };
    expect(pathsOf({ pools: [tgi] })).toEqual(['/pools/0/workloads/1', '/pools/0/workloads/2']);
  });
});

describe('OC-CONFIG-6015 pools on hosts that take turns', () => {
  const far = { id: 'far', launch: 'remote', model: { id: 'm' } };

  test('are each on one host', () => {
    const turns = { ...far, keep_alive_ms: -1 };
    expect(pathsOf({ pools: [turns] })).toEqual(['/pools/0/host_id']);
    expect(pathsOf({ pools: [{ ...turns, host_id: 'gpu-a' }] })).toEqual([]);
    expect(pathsOf({ pools: [{ ...far, host_id: 'gpu-a' }] })).toEqual([]);
    expect(pathsOf({ pools: [pool({ host_id: 'gpu-a' })] })).toEqual(['/pools/0/host_id']);
  });

  test('run no engines of others, which cannot be unloaded', () => {
    const others = { ...external('a', 'http://x:1'), keep_alive_ms: 1_000 };
    expect(pathsOf({ pools: [others] })).toEqual(['/pools/0/keep_alive_ms']);
  });

  test('share the devices of that host, and not those of others', () => {
    const on = (hostId: string | undefined) =>
      sharedDevices({
        ...far,
        host_id: hostId,
        devices: [1, 0],
        device: 'cpu',
      } as unknown as PoolConfig);
    expect(on('gpu-a')).toEqual(['gpu-a/gpu:1', 'gpu-a/gpu:0']);
    expect(on('gpu-b')).toEqual(['gpu-b/gpu:1', 'gpu-b/gpu:0']);
    expect(on(undefined)).toEqual(['gpu:1', 'gpu:0']);
  });
});

describe('ORCH-3012 OC-CONFIG-6012 devices', () => {
  const on = (id: string, fields: object) => pool({ id, ...fields });

  test('two pools have a GPU in common only when both say so', () => {
    const both = [on('a', { devices: [0, 1] }), on('b', { device: 'cuda:1' })];
    expect(pathsOf({ pools: both })).toEqual(['/pools/1/device']);
    expect(pathsOf({ pools: [on('a', { devices: [0] }), on('b', { devices: [0], share: true })] }))
      // One that says so cannot speak for the other.
      .toEqual(['/pools/1/devices']);
    expect(pathsOf({ pools: both.map((each) => ({ ...each, share: true })) })).toEqual([]);
    expect(pathsOf({ pools: [on('a', { devices: [0] }), on('b', { devices: [1] })] })).toEqual([]);
    expect(pathsOf({ pools: [on('a', {}), on('b', {})] })).toEqual([]);
  });

  test('devices and device are two ways to say one thing', () => {
    expect(pathsOf({ pools: [pool({ devices: [0], device: 'cuda:0' })] })).toEqual([
      '/pools/0/devices',
    ]);
  });

  test('a split has a ratio for each GPU, and an engine that is told of it', () => {
    const split = (fields: object, ...words: string[]) => ({
      ...command('engine', '{port}', ...words),
      ...fields,
    });
    const whole = { devices: [0, 1], tensor_split: [3, 1] };
    expect(pathsOf({ pools: [split(whole, '{tensor_split}', '{devices}')] })).toEqual([]);
    expect(pathsOf({ pools: [split(whole)] })).toEqual(['/pools/0/tensor_split']);
    expect(pathsOf({ pools: [split({ ...whole, devices: [0] }, '{tensor_split}')] })).toEqual([
      '/pools/0/tensor_split',
    ]);
    expect(pathsOf({ pools: [split({}, '{tensor_split}')] })).toEqual(['/pools/0/tensor_split']);
    expect(pathsOf({ pools: [split({}, '{devices}')] })).toEqual(['/pools/0/devices']);
  });

  test('models have ids of their own', () => {
    expect(pathsOf({ models: [model, model] })).toEqual(['/models/1/id']);
  });
});
