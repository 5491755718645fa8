/** Spec 78: from a client's words to a real model's tokens and back, and the metrics agree. */
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startLlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { parseMetrics, sumOf } from '../src/metrics-text.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { externalPool, simulatorPool, TINY_HAIKU, type PoolInput } from '../src/temp-config.ts';
import { within } from '../src/wait-for.ts';
import { chooseEngine, type EngineChoice } from './engine-choice.ts';
import { haikuPrompt, linesOf } from './haiku-prompt.ts';
import { mockSigns } from './mock-signs.ts';

/** From the client's words to the end of the poem. */
const HAIKU_MS = 30_000;
/** A large model is loaded from a slow disk. */
const READY_MS = 300_000;
/** llama-server is built from source, once. */
const BUILD_MS = 60 * 60_000;
/** Enough for three lines of any model's. */
const MAX_TOKENS = 96;

describe('OC-TEST-7801 OC-TEST-7803 a haiku, asked of no mock', () => {
  let engine: EngineChoice;
  let daemon: DaemonProcess;

  beforeAll(async () => {
    engine = await chooseEngine(process.env);
    daemon = await startDaemon({ config: { pools: [engine.pool] } });
    const { client } = daemon;
    await client.untilReady(1, 'default', READY_MS).catch(async (error: unknown) => {
      const { last_error: why } = await client.poolHealth();
      throw new Error(`${engine.name} is not ready: ${String(why)}`, { cause: error });
    });
    const signs = await mockSigns({ client, modelPath: engine.modelPath });
    if (signs.length > 0) throw new Error(`${engine.name} is refused: ${signs.join('; ')}`);
  }, BUILD_MS);
  afterAll(() => daemon[Symbol.asyncDispose]());

  const tokensOut = async () =>
    sumOf(parseMetrics((await daemon.client.call('getMetrics')).text), 'tokens_out_total');

  test('OC-TEST-7802 of three lines, new for this minute and nonce, every token of it counted', async () => {
    const before = await tokensOut();
    const nonce = randomBytes(6).toString('hex');
    const prompt = haikuPrompt({ date: new Date(), nonce });
    const poem = await within(
      'the haiku',
      daemon.client.run({ prompt, max_tokens: MAX_TOKENS }),
      HAIKU_MS,
    );
    checkWholeStream(poem.events);
    console.log(`${prompt}\n\n${poem.text}\n`);
    expect(poem.terminal?.event, JSON.stringify(poem.terminal)).toBe('end');
    const lines = linesOf(poem.text);
    // tiny-haiku has learned nothing else; another model may put a word before or after.
    if (engine.modelPath === TINY_HAIKU) expect(lines, poem.text).toHaveLength(3);
    else expect(lines.length, poem.text).toBeGreaterThanOrEqual(3);
    expect((await tokensOut()) - before).toBe(poem.tokens.length);
  });

  test('OC-TEST-7804 another nonce is another prompt to the engine', async () => {
    const [first, second] = ['0badcafe', 'deadbeef'].map((nonce) =>
      haikuPrompt({ date: new Date(2030, 0, 1, 9, 30), nonce }),
    );
    const ask = async (prompt = '') => {
      const { tokens } = await daemon.client.run({
        prompt,
        max_tokens: 1,
        temperature: 0,
        logprobs: 5,
      });
      return tokens[0]?.data.logprobs?.[0]?.top?.map(({ logprob }) => logprob);
    };
    expect(await ask(first)).not.toEqual(await ask(second));
  });
});

describe('OC-TEST-7803 a simulator is refused', () => {
  async function signs(pool: PoolInput, modelPath?: string): Promise<readonly string[]> {
    await using daemon = await startDaemon({ config: { pools: [pool] } });
    await daemon.client.untilReady(1);
    return await mockSigns({ client: daemon.client, modelPath });
  }

  test('by its name', async () => {
    await using sim = await startLlamaCppSim();
    expect(await signs(externalPool([sim.url]))).toContain(
      "'b1-simulator' is no version of llama.cpp",
    );
  });

  test('also under the name of another, by its probabilities', async () => {
    await using sim = await startLlamaCppSim({ extraProps: { build_info: 'b6123-0a1b2c3d' } });
    const found = await signs(externalPool([sim.url]));
    expect(found.join('\n')).not.toContain('is no version');
    expect(found).toContain('its probabilities are those of every prompt');
  });

  test('also with a real model beside it, by its words', async () => {
    const pool = simulatorPool([], { replicas: 1, model: { id: 'haiku', path: TINY_HAIKU } });
    const command = ['/usr/bin/env', 'SIM_MODEL={model}', ...(pool.command ?? [])];
    const found = await signs({ ...pool, command }, TINY_HAIKU);
    expect(found.join('\n')).toMatch(/\d+ of its tokens are not in its model/);
    expect(found.join('\n')).not.toContain('digest');
  });

  test('with a model that is none', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'llama-orch-model-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'none.gguf');
    writeFileSync(path, 'no weights');
    await using sim = await startLlamaCppSim();
    expect(await signs(externalPool([sim.url]), path)).toContain('its model is no GGUF file');
  });
});
