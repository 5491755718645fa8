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

test.each(['http://a:1/', 'http://a:1/v1', 'ftp://a', 'a:1', 'http://u:p@a'])(
  '%s is not the base address of an engine',
  (url) => {
    const pool = { id: 'a', model: { id: 'm' }, launch: 'external', endpoints: [url] };
    expect(faultsOf({ pools: [pool] }).map((f) => f.path)).toEqual(['/pools/0/endpoints/0']);
  },
);

test('OC-CONFIG-6001 every fault is told at once', () => {
  const faults = faultsOf({ server: { port: 70_000 }, log: { level: 'loud' }, pools: [] });
  expect(faults.map((f) => f.path).toSorted()).toEqual(['/log/level', '/pools', '/server/port']);
});
