/** One daemon over a pool of each engine: what a client asks is the same, whatever runs it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Capabilities, TaskRequest } from '@llama-orch/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHAT_TEMPLATE, renderChat } from '../engines/kit/chat.ts';
import type { EngineSim } from '../engines/kit/engine-sim.ts';
import { embeddingOf, rankingOf } from '../engines/kit/pooling.ts';
import { TokenSource } from '../engines/kit/vocabulary.ts';
import { startLlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startOpenAiSim } from '../engines/openai/sim.ts';
import { startTgiSim } from '../engines/tgi/sim.ts';
import { startTritonSim, type TritonSim } from '../engines/triton/sim.ts';
import { startVllmSim } from '../engines/vllm/sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { parseMetrics } from '../src/metrics-text.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { externalPool, type PoolInput } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

const TOKENS = 12;
const SEED = 7;
/** Fewer than the model would say: engines differ in whether its end is a token. */
const ASKED = { seed: SEED, max_tokens: 9 } as const;
const MESSAGES = [{ role: 'user' as const, content: 'Tell me about queues.' }];
const ALL = ['completion', 'embedding', 'rerank'] as const;
const KEY_VARIABLE = 'ENGINE_KEY_OF_THE_TEST';

interface Engine {
  readonly engine: NonNullable<TaskRequest['engine']>;
  readonly start: () => Promise<EngineSim>;
  /** Path of its API. */
  readonly path?: string;
  readonly workloads: readonly (typeof ALL)[number][];
  readonly pool?: (sim: EngineSim) => PoolInput;
  readonly model?: PoolInput['model'];
  /** Fields it does not have. */
  readonly lacks: readonly Partial<TaskRequest>[];
}

const SIM = { slots: 2, tokens: TOKENS } as const;
const GRAMMAR = { grammar: 'root ::= "a"' } as const;
const files = mkdtempSync(join(tmpdir(), 'llama-orch-engines-'));
const template = join(files, 'chat.jinja');

const ENGINES: readonly Engine[] = [
  { engine: 'llamacpp', start: () => startLlamaCppSim(SIM), workloads: ALL, lacks: [] },
  {
    engine: 'vllm',
    start: () => startVllmSim(SIM),
    workloads: ALL,
    pool: () => ({ api_key_env: KEY_VARIABLE }),
    lacks: [],
  },
  {
    engine: 'tgi',
    start: () => startTgiSim(SIM),
    workloads: ['completion'],
    lacks: [GRAMMAR, { logprobs: 2 }, { min_p: 0.1 }, { top_k: 3 }],
  },
  {
    engine: 'triton',
    start: () => startTritonSim({ ...SIM, backend: 'vllm' }),
    workloads: ['completion'],
    pool: (sim) => ({ text_output: 'delta', metrics_url: (sim as TritonSim).metricsUrl }),
    model: { chat_template: template },
    lacks: [{ logprobs: 2 }, { min_p: 0.1 }],
  },
  {
    engine: 'openai',
    start: () => startOpenAiSim({ ...SIM, flavor: 'sglang' }),
    path: '/v1',
    workloads: ALL,
    lacks: [GRAMMAR, { min_p: 0.1 }, { top_k: 3 }],
  },
];

function poolOf({ engine, path = '', workloads, pool, model, sim }: Engine & { sim: EngineSim }) {
  return externalPool([`${sim.url}${path}`], {
    id: engine,
    engine,
    workloads,
    model: { id: `${engine}-model`, served_name: 'sim', ...model },
    ...pool?.(sim),
  });
}

let sims: readonly EngineSim[];
let daemon: DaemonProcess;

beforeAll(async () => {
  writeFileSync(template, CHAT_TEMPLATE);
  const running = await Promise.all(
    ENGINES.map(async (each) => ({ ...each, sim: await each.start() })),
  );
  sims = running.map(({ sim }) => sim);
  daemon = await startDaemon({
    env: { [KEY_VARIABLE]: 'sk-of-the-test' },
    config: {
      pools: running.map(poolOf),
    },
  });
  await Promise.all(ENGINES.map(({ engine }) => daemon.client.untilReady(1, engine)));
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await Promise.all(sims.map((sim) => sim[Symbol.asyncDispose]()));
  rmSync(files, { recursive: true });
});

/** What every simulated model says first. */
function textOf(prompt: string): string {
  const source = new TokenSource(prompt, SEED);
  return Array.from({ length: ASKED.max_tokens }, () => source.next().text).join('');
}

describe.each(ENGINES)('$engine', ({ engine, workloads, lacks }) => {
  const promise = engine === 'llamacpp' ? 'strict' : 'best_effort';

  test('completes text', async () => {
    const prompt = 'Write a haiku about rain.';
    const stream = await daemon.client.run({ ...ASKED, engine, prompt, prompt_format: 'raw' });
    expect(checkWholeStream(stream.events)).toBe(textOf(prompt));
    const task = await daemon.client.untilEnded(taskIdOf(stream));
    expect(task).toMatchObject({
      state: 'completed',
      pool_id: engine,
      result: { text: textOf(prompt) },
      replica: { engine },
      proof: { engine },
    });
    expect(task.usage?.tokens_in).toBeGreaterThan(0);
  });

  test('answers a chat', async () => {
    const stream = await daemon.client.run({ ...ASKED, engine, messages: MESSAGES });
    expect(checkWholeStream(stream.events)).toBe(textOf(renderChat(MESSAGES)));
  });

  test('OC-CTRL-2019 refuses what the engine does not have, with its path', async () => {
    for (const field of lacks) {
      const body = { engine, prompt: 'p', ...field };
      const answer = await daemon.client.call('createTask', { body });
      expect(answer.status).toBe(400);
      const [path] = Object.keys(field).map((key) => `/${key}`);
      expect(answer.body).toMatchObject({ code: 'INVALID_PARAMS', details: [{ path }] });
    }
  });

  test('OC-CTRL-2089 is as deterministic as its pool promises, and says so', async () => {
    const { task_id: id } = await daemon.client.admit({ engine, prompt: 'p' });
    expect((await daemon.client.untilEnded(id)).determinism).toBe(promise);
    const body: TaskRequest = { engine, prompt: 'p', determinism: 'strict' };
    const answer = await daemon.client.call('createTask', { body });
    expect(answer.status).toBe(promise === 'strict' ? 202 : 400);
    if (answer.status === 400) {
      expect(answer.body).toMatchObject({ details: [{ path: '/determinism' }] });
    }
  });

  test('ORCH-3095 capabilities tell what it serves and promises', async () => {
    const { body } = await daemon.client.call('getCapabilities');
    const found = (body as Capabilities).engines.find((each) => each.engine === engine);
    const determinism = promise === 'strict' ? 'exact' : 'none';
    expect(found).toMatchObject({
      supported_workloads: workloads,
      determinism,
      models: [{ id: `${engine}-model`, pool_id: engine, workloads, determinism }],
    });
    for (const field of lacks) {
      for (const key of Object.keys(field)) expect(found?.features).not.toContain(key);
    }
  });
});

const serving = (workload: (typeof ALL)[number], does = true): readonly Engine[] =>
  ENGINES.filter(({ workloads }) => workloads.includes(workload) === does);

test.each(serving('embedding'))('OC-CTRL-2090 $engine embeds', async ({ engine }) => {
  const inputs = ['first text', 'second'];
  const stream = await daemon.client.run({ engine, workload: 'embedding', inputs });
  const task = await daemon.client.untilEnded(taskIdOf(stream));
  expect(task.result).toEqual({ embeddings: inputs.map(embeddingOf) });
});

test.each(serving('rerank'))('OC-CTRL-2090 $engine ranks', async ({ engine }) => {
  const documents = ['a dry day', 'a wet day', 'rain'];
  const request = { engine, workload: 'rerank', query: 'rain', documents, top_n: 2 } as const;
  const stream = await daemon.client.run(request);
  const task = await daemon.client.untilEnded(taskIdOf(stream));
  expect(task.result).toEqual({ ranking: rankingOf('rain', documents, 2) });
});

test.each(serving('embedding', false))('$engine embeds nothing, and says so', async (each) => {
  const body = { engine: each.engine, workload: 'embedding', prompt: 'p' };
  const answer = await daemon.client.call('createTask', { body });
  expect(answer.status).toBe(400);
  expect(answer.body).toMatchObject({ details: [{ path: '/workload' }] });
});

test('OC-ADAPT-5069 the metrics of Triton are read where the configuration says', async () => {
  await waitFor('the KV use of the Triton pool', async () => {
    const { samples } = parseMetrics((await daemon.client.call('getMetrics')).text);
    const ofTriton = samples.filter(({ labels }) => labels['pool_id'] === 'triton');
    return ofTriton.some(({ name }) => name === 'kv_cache_usage_ratio');
  });
});

test('OC-CONFIG-6016 the key of an engine is in no log line and no answer', async () => {
  const answers = await Promise.all([
    daemon.client.call('listPools'),
    daemon.client.call('listReplicaSets'),
    daemon.client.call('getPoolHealth', { path: ['vllm'] }),
  ]);
  const said = [daemon.stderr, ...answers.map(({ text }) => text)].join('\n');
  expect(said).toContain('vllm');
  expect(said).not.toContain('sk-of-the-test');
});
