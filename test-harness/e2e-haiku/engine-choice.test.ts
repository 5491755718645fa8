import { expect, test } from 'vitest';
import { startLlamaCppSim } from '../engines/llamacpp/sim.ts';
import { TINY_HAIKU } from '../src/temp-config.ts';
import { chooseEngine } from './engine-choice.ts';

test('OC-TEST-7801 the engine that ships with us, with tiny-haiku, is the default', async () => {
  for (const env of [{}, { LLAMA_SERVER_URL: 'http://127.0.0.1:9' }]) {
    const { pool, modelPath } = await chooseEngine(env);
    expect(pool).toMatchObject({ launch: 'embedded', model: { path: TINY_HAIKU } });
    expect(modelPath).toBe(TINY_HAIKU);
  }
});

test('OC-TEST-7805 a server that is named is taken, with the context that it has', async () => {
  await using sim = await startLlamaCppSim({ ctx: 1_234 });
  const env = { REQUIRE_REAL_LLAMA: '1', LLAMA_SERVER_URL: sim.url };
  const { pool, modelPath } = await chooseEngine(env);
  expect(pool).toMatchObject({ launch: 'external', endpoints: [sim.url], ctx: 1_234 });
  expect(modelPath).toBeUndefined();
});

test('OC-TEST-7805 a server that is named and not there fails, and nothing else is taken', async () => {
  const env = { REQUIRE_REAL_LLAMA: '1', LLAMA_SERVER_URL: 'http://127.0.0.1:9' };
  await expect(chooseEngine(env)).rejects.toThrow('fetch failed');
});
