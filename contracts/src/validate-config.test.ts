import { expect, test } from 'vitest';

import { validateConfig } from './validate-config.ts';

const model = { id: 'm', path: 'm.gguf' };
const faultsOf = (value: unknown) => {
  const result = validateConfig(value);
  return result.ok ? [] : result.details;
};

test('nothing at all is the embedded default', () => {
  const result = validateConfig({});
  expect(result).toMatchObject({
    ok: true,
    value: {
      server: { host: '127.0.0.1', port: 8080 },
      data_dir: '.llama-orch',
      sessions: { ttl_ms: 600_000, max_turns: 8 },
      pools: [
        {
          id: 'default',
          engine: 'llamacpp',
          launch: 'embedded',
          model: { id: 'tiny-haiku', path: 'models/tiny-haiku.gguf' },
          device: 'cpu',
          replicas: 2,
          slots: 1,
          ctx: 1024,
          queue: { capacity: 256, full_policy: 'reject' },
          timeouts: { wall_ms: 60_000, idle_ms: 5_000 },
        },
      ],
    },
  });
});

test('defaults are filled in at every depth, and the given value stays as it was', () => {
  const given = { pools: [{ id: 'a', model, queue: { capacity: 4 } }], server: { port: 0 } };
  const before = structuredClone(given);
  const result = validateConfig(given);
  expect(given).toEqual(before);
  expect(result.ok && result.value.server.heartbeat_ms).toBe(15_000);
  expect(result.ok && result.value.pools[0]?.queue).toEqual({ capacity: 4, full_policy: 'reject' });
});

test.each([
  [{ sever: {} }, '/sever'],
  [{ server: { prt: 1 } }, '/server/prt'],
  [{ pools: [{ id: 'a', model: { ...model, sha: 1 } }] }, '/pools/0/model/sha'],
])('OC-CONFIG-6001 the unknown key of %j is refused with its path', (value, path) => {
  expect(faultsOf(value)).toEqual([{ path, message: 'is not a known field' }]);
});

test.each([
  [{ launch: 'external', model: { id: 'm' } }, '/pools/0/endpoints', 'is required'],
  [{ launch: 'process', model }, '/pools/0/command', 'is required'],
  [{ launch: 'embedded', model: { id: 'm' } }, '/pools/0/model/path', 'is required'],
  [{ model: { id: 'm' } }, '/pools/0/model/path', 'is required'],
  [
    { model, endpoints: ['http://a:1'] },
    '/pools/0/endpoints',
    'is used only with launch: external',
  ],
  [{ model, command: ['a'] }, '/pools/0/command', 'is used only with launch: process'],
])('a pool like %j is refused', (pool, path, message) => {
  expect(faultsOf({ pools: [{ id: 'a', ...pool }] })).toEqual([{ path, message }]);
});

test.each(['http://a:1/', 'http://a:1/v1/', 'http://a:1/v1?k=1', 'ftp://a', 'a:1', 'http://u:p@a'])(
  '%s is not the base address of an engine',
  (url) => {
    const pool = { id: 'a', model: { id: 'm' }, launch: 'external', endpoints: [url] };
    expect(faultsOf({ pools: [pool] }).map((f) => f.path)).toEqual(['/pools/0/endpoints/0']);
  },
);

test.each(['http://a', 'http://[::1]:8080', 'https://host/api/v1', 'http://a:1/%7Ebeta'])(
  '%s is the base address of an engine',
  (url) => {
    const pool = { id: 'a', model: { id: 'm' }, launch: 'external', endpoints: [url] };
    expect(faultsOf({ pools: [pool] })).toEqual([]);
  },
);

test('OC-CONFIG-6013 only llamacpp has an embedded engine', () => {
  for (const engine of ['vllm', 'tgi', 'triton', 'openai']) {
    const pool = { id: 'a', engine, model };
    expect(faultsOf({ pools: [pool] }).map(({ path }) => path)).toEqual(['/pools/0/launch']);
    expect(
      faultsOf({ pools: [{ ...pool, launch: 'external', endpoints: ['http://a:1'] }] }),
    ).toEqual([]);
    expect(faultsOf({ pools: [{ ...pool, launch: 'process', command: ['s', '{port}'] }] })).toEqual(
      [],
    );
  }
});

test('OC-CONFIG-6013 a pool may name its workloads, its determinism and its key', () => {
  const fields = { workloads: ['embedding', 'rerank'], determinism: 'none', api_key_env: 'A_KEY' };
  expect(faultsOf({ pools: [{ id: 'a', model, ...fields }] })).toEqual([]);
  expect(validateConfig({ pools: [{ id: 'a', model }] })).toMatchObject({
    value: { pools: [{ workloads: ['completion'] }] },
  });
});

test.each([
  [{ workloads: [] }, '/pools/0/workloads'],
  [{ workloads: ['dreaming'] }, '/pools/0/workloads/0'],
  [{ workloads: ['rerank', 'rerank'] }, '/pools/0/workloads'],
  [{ determinism: 'strict' }, '/pools/0/determinism'],
  [{ api_key_env: 'A KEY' }, '/pools/0/api_key_env'],
  [{ api_key: 'sk' }, '/pools/0/api_key'],
  [{ text_output: 'delta' }, '/pools/0/text_output'],
  [{ metrics_url: 'http://gpu-1:8002/metrics' }, '/pools/0/metrics_url'],
  [{ model: { ...model, served_name: 'a b' } }, '/pools/0/model/served_name'],
  [{ model: { ...model, chat_template: 'chat.jinja' } }, '/pools/0/model/chat_template'],
])('OC-CONFIG-6013 a pool with %j is refused', (fields, path) => {
  expect(faultsOf({ pools: [{ id: 'a', model, ...fields }] }).map((each) => each.path)).toEqual([
    path,
  ]);
});

test('OC-CONFIG-6014 metrics of Triton have a URL of their own', () => {
  const triton = {
    id: 'a',
    engine: 'triton',
    model,
    launch: 'external',
    endpoints: ['http://a:1'],
  };
  const pathsFor = (fields: object) =>
    faultsOf({ pools: [{ ...triton, ...fields }] }).map(({ path }) => path);
  for (const metrics_url of [
    'http://10.0.0.8:9100/metrics',
    'https://[::1]:8002/a/b',
    'http://{host}:8002/metrics',
    'http://{host}',
  ]) {
    expect(pathsFor({ metrics_url })).toEqual([]);
  }
  for (const metrics_url of [
    '',
    'gpu-1:8002/metrics',
    'ftp://gpu-1/metrics',
    'http://{port}:1/metrics',
    'http://user@gpu-1/metrics',
    'http://gpu-1:8002/metrics?a=b',
  ]) {
    expect(pathsFor({ metrics_url })).toEqual(['/pools/0/metrics_url']);
  }
  const remote = {
    launch: 'remote',
    endpoints: undefined,
    metrics_url: 'http://gpu-1:8002/metrics',
  };
  expect(pathsFor(remote)).toEqual(['/pools/0/metrics_url']);
});

test('OC-CONFIG-6001 every fault is told at once', () => {
  const faults = faultsOf({ server: { port: 70_000 }, log: { level: 'loud' }, pools: [] });
  expect(faults.map((f) => f.path).toSorted()).toEqual(['/log/level', '/pools', '/server/port']);
});

test.each([
  [{ auth: { keys: [{ id: 'k', tenant: 'a', scopes: ['admin'] }] } }, '/auth/keys/0/sha256'],
  [{ auth: { keys: [key({ sha256: 'A'.repeat(64) })] } }, '/auth/keys/0/sha256'],
  [{ auth: { keys: [key({ sha256: 'a'.repeat(63) })] } }, '/auth/keys/0/sha256'],
  [{ auth: { keys: [key({ scopes: [] })] } }, '/auth/keys/0/scopes'],
  [{ auth: { keys: [key({ scopes: ['tasks'] })] } }, '/auth/keys/0/scopes/0'],
  [{ auth: { keys: [key({ key: 'lo_secret' })] } }, '/auth/keys/0/key'],
  [{ tenants: [{}] }, '/tenants/0/id'],
  [{ tenants: [{ id: 'a', weight: 0 }] }, '/tenants/0/weight'],
  [{ tenants: [{ id: 'a', max_concurrent: 0 }] }, '/tenants/0/max_concurrent'],
  [{ tenants: [{ id: 'a', rps: -1 }] }, '/tenants/0/rps'],
  [{ tenants: [{ id: 'a', rps: 1, burst: 1.5 }] }, '/tenants/0/burst'],
  [scheduled({ interactive_weight: 0 }), '/pools/0/scheduling/interactive_weight'],
  [scheduled({ preemption: false }), '/pools/0/scheduling/preemption'],
  [scheduled({ max_preemptions: 101 }), '/pools/0/scheduling/max_preemptions'],
  [labelled({ zone: 1 }), '/pools/0/replica_labels/0/zone'],
  [labelled({ 'a b': 'c' }), '/pools/0/replica_labels/0/a b'],
])('%j names the value at fault', (value, path) => {
  expect(faultsOf(value).map((fault) => fault.path)).toEqual([path]);
});

test('tenants, keys, scheduling and labels are optional', () => {
  expect(validateConfig({ tenants: [{ id: 'a' }], pools: [{ id: 'p', model }] })).toMatchObject({
    ok: true,
    value: {
      auth: { keys: [] },
      tenants: [{ id: 'a', weight: 1 }],
      pools: [
        {
          scheduling: {
            interactive_weight: 8,
            batch_weight: 1,
            preemption: 'soft',
            max_preemptions: 3,
          },
          replica_labels: [],
        },
      ],
    },
  });
});

function key(fields: object): object {
  return { id: 'k', tenant: 'default', sha256: 'a'.repeat(64), scopes: ['admin'], ...fields };
}
function scheduled(scheduling: object): object {
  return { pools: [{ id: 'a', model, scheduling }] };
}
function labelled(labels: object): object {
  return { pools: [{ id: 'a', model, replica_labels: [labels] }] };
}
