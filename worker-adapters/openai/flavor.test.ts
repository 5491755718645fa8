import { expect, test } from 'vitest';
import { identifyServer } from './flavor.ts';

/** Identifies a server by its routes; whatever it does not have, it answers as `otherwise`. */
const identify = async (routes: Readonly<Record<string, unknown>>, otherwise?: unknown) => {
  const asked: string[] = [];
  const identity = await identifyServer((path) => {
    asked.push(path);
    return Promise.resolve(routes[path] ?? otherwise);
  });
  return { ...identity, asked };
};

const SGLANG = { version: '0.5.4', model_path: '/m', internal_states: [] };

test.each([
  ['sglang', '/server_info', SGLANG],
  ['sglang', '/get_server_info', SGLANG],
  ['ollama', '/api/version', { version: '0.12.0' }],
  ['lmstudio', '/api/v0/models', { object: 'list', data: [] }],
  ['lmstudio', '/api/v1/models', { models: [] }],
])('OC-ADAPT-5081 %s is told by %s', async (flavor, path, info) => {
  expect(await identify({ [path]: info })).toMatchObject({ flavor, info });
});

test('OC-ADAPT-5081 a server without any of these routes is generic', async () => {
  expect(await identify({})).toMatchObject({ flavor: 'generic', info: undefined });
});

test('OC-ADAPT-5081 an answer of another shape tells nothing', async () => {
  const unexpected = { error: 'Unexpected endpoint or method. (GET /server_info)' };
  const lmStudio = { '/api/v1/models': { models: [{ key: 'm' }] } };
  expect(await identify(lmStudio, unexpected)).toMatchObject({ flavor: 'lmstudio' });
  expect(await identify({}, unexpected)).toMatchObject({ flavor: 'generic' });
  const router = { '/get_server_info': { prefill: [], decode: [], version: '1' } };
  expect(await identify(router)).toMatchObject({ flavor: 'generic' });
});

test('OC-ADAPT-5081 SGLang is told although it imitates Ollama', async () => {
  const both = { '/get_server_info': SGLANG, '/api/version': { version: '0.5.4' } };
  expect(await identify(both)).toMatchObject({ flavor: 'sglang' });
});

test('nothing is asked once it is told', async () => {
  const { asked } = await identify({ '/server_info': SGLANG });
  expect(asked).toEqual(['/server_info']);
});
