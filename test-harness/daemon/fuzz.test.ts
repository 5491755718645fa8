/** Random JSON and random bytes at every POST: each answer is one of the contract, and the daemon lives. */
import { OPERATIONS } from '@llama-orch/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { waitFor } from '../src/wait-for.ts';

const RUNS = 400;

let setUp: DaemonOverSim;
let daemon: DaemonProcess;

beforeAll(async () => {
  setUp = await startDaemonOverSim({
    sim: { slots: 8, tokens: 3 },
    pool: { slots: 8, queue: { capacity: 10_000 } },
  });
  ({ daemon } = setUp);
});
afterAll(() => setUp[Symbol.asyncDispose]());

const FIELDS = [
  ...['task_id', 'session_id', 'workload', 'model_ref', 'engine', 'ctx', 'priority', 'seed'],
  ...['determinism', 'sampler_profile_version', 'prompt', 'prompt_format', 'messages', 'inputs'],
  ...['query', 'documents', 'top_n', 'max_tokens', 'deadline_ms', 'expected_tokens', 'kv_hint'],
  ...['temperature', 'top_k', 'top_p', 'min_p', 'stop', 'grammar', 'json_schema', 'logprobs'],
  ...['metadata', '__proto__', 'constructor'],
];

/** Values near to what the fields want, and far from it. */
const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.uuid(),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(
    'completion',
    'batch',
    'strict',
    'raw',
    'chat',
    'llamacpp',
    'sim',
    'cold',
    '',
    null,
  ),
  fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 }),
  fc.array(fc.record({ role: fc.constantFrom('user', 'system', 'x'), content: fc.string() }), {
    maxLength: 3,
  }),
);
const taskLike = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...FIELDS), value), {
    selector: ([field]) => field,
    maxLength: 6,
  })
  .chain((fields) =>
    fc
      .boolean()
      .map((withPrompt) =>
        JSON.stringify(ownFields([...(withPrompt ? [['prompt', 'p'] as const] : []), ...fields])),
      ),
  );
const body = fc.oneof(
  { weight: 5, arbitrary: taskLike },
  { weight: 2, arbitrary: fc.json({ maxDepth: 6 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: taskLike.map((text) => text.slice(0, -2)) },
);

/** An object with `__proto__` as a field like any other. */
function ownFields(entries: readonly (readonly [string, unknown])[]): object {
  const object: object = Object.create(null) as object;
  for (const [key, each] of entries) {
    Object.defineProperty(object, key, { value: each, enumerable: true, configurable: true });
  }
  return object;
}

const posts = Object.entries(OPERATIONS)
  .filter(([, { method }]) => method === 'POST')
  .map(([id]) => id as keyof typeof OPERATIONS)
  .filter((id) => id !== 'drainPool' && id !== 'undrainPool');

test.each(posts)('%s answers whatever comes as its contract says', async (operation) => {
  await fc.assert(
    fc.asyncProperty(body, fc.uuid(), async (rawBody, id) => {
      const { status } = await daemon.client.call(operation, { rawBody, path: [id] });
      expect(status).toBeLessThan(500);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
});

test('drain answers whatever comes as its contract says', async () => {
  await fc.assert(
    fc.asyncProperty(body, async (rawBody) => {
      const { status } = await daemon.client.call('drainPool', { rawBody, path: ['default'] });
      expect(status).toBeLessThan(500);
    }),
    { numRuns: 100, endOnFailure: true },
  );
  await daemon.client.call('undrainPool', { path: ['default'] });
});

test('any query and any path get an answer of the contract', async () => {
  const texts = fc.string({ unit: 'grapheme', maxLength: 20 });
  const names = fc.constantFrom(
    'limit',
    'cursor',
    'state',
    'session_id',
    'after',
    'stream',
    '__proto__',
  );
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.oneof(names, texts), texts), texts, async (query, text) => {
      for (const operation of ['listTasks', 'listEvents'] as const) {
        if (query['stream'] === 'true') return;
        const { status } = await daemon.client.call(operation, { query });
        expect(status).toBeLessThan(500);
      }
      const path = `/v1/tasks/${encodeURIComponent(text)}x/stream`;
      expect([400, 404]).toContain((await daemon.client.send('GET', path)).status);
    }),
    { numRuns: 200, endOnFailure: true },
  );
});

test('afterwards everything that was taken has ended, and the daemon is well', async () => {
  await waitFor('the end of all tasks', async () => {
    const queued = await daemon.client.tasks({ state: 'queued', limit: 1 });
    const running = await daemon.client.tasks({ state: 'running', limit: 1 });
    return queued.items.length + running.items.length === 0;
  });
  await daemon.client.untilReady(1);
  expect((await daemon.client.run({ prompt: 'well' })).terminal?.event).toBe('end');
  expect(
    daemon.logs().filter((line) => line['level'] === 'error' || line['level'] === 'fatal'),
  ).toEqual([]);
});
