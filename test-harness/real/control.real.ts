/** What llama-server says of itself and of the state it is in. */
import { expect, test } from 'vitest';
import { TINY_HAIKU } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';
import { failureOf, generate, LONG_WORK, PROMPT, requestOf } from './completion.ts';
import { CTX, serve, serveAll, SLOTS, untilIdle } from './server-fixture.ts';

const all = serveAll();

test('OC-ADAPT-5001 ready while it runs, down when it is gone, and then broken for a task', async () => {
  await using own = await serve();
  expect(await own.adapter.health()).toEqual({ state: 'ready' });
  await own.server[Symbol.asyncDispose]();
  expect(await own.adapter.health()).toMatchObject({ state: 'down' });
  const failure = await failureOf(generate(own.adapter, requestOf()));
  expect(failure).toMatchObject({ name: 'EngineError', fault: 'broken' });
});

test('OC-ADAPT-5011 props: the version of the build, slots, context of one slot, template', async () => {
  const props = await all.adapter.props();
  expect(props).toMatchObject({
    modelAlias: 'tiny-haiku',
    modelPath: TINY_HAIKU,
    slots: SLOTS,
    ctx: CTX,
    chat: 'template',
    exactPrefixReuse: false,
  });
  expect(props.engineVersion).toMatch(/^b\d+-[0-9a-f]{7,}$/);
});

test('tokens are counted as the engine counts them', async () => {
  const prompt = `${PROMPT} naïve 古池 🐸`;
  const { result } = await generate(all.adapter, requestOf({ prompt, maxTokens: 1 }));
  expect(await all.adapter.countTokens(prompt)).toBe(result.tokensIn);
});

test('OC-ADAPT-5001 the chat template is the model’s own', async () => {
  const messages = [
    { role: 'user', content: 'Write a haiku about rain.' },
    { role: 'assistant', content: 'Old pond' },
    { role: 'user', content: 'again' },
  ];
  const rendered = await all.adapter.applyTemplate(messages);
  expect(rendered).toBe(
    '<|user|>Write a haiku about rain.<|end|><|assistant|>Old pond<|end|><|user|>again<|end|><|assistant|>',
  );
  const asMessages = await generate(all.adapter, requestOf({ prompt: messages }));
  const asText = await generate(all.adapter, requestOf({ prompt: rendered }));
  expect(asMessages.text).toBe(asText.text);
});

test('metrics: what runs, what waits, how much KV is held', async () => {
  await using own = await serve({ ctx: 2_048 });
  expect(await own.adapter.metrics()).toEqual({ running: 0, waiting: 0, kvUsage: 0 });
  const abort = new AbortController();
  const long = requestOf({}, { grammar: LONG_WORK });
  const gate = Promise.withResolvers<void>();
  const running = failureOf(
    generate(own.adapter, long, { signal: abort.signal, onPieces: () => gate.resolve() }),
  );
  await gate.promise;
  const waiting = failureOf(generate(own.adapter, long, { signal: abort.signal }));
  const busy = await waitFor('one to run and one to wait', async () => {
    const metrics = await own.adapter.metrics();
    return metrics.waiting === 1 && metrics;
  });
  expect(busy.running).toBe(1);
  abort.abort(new Error('seen enough'));
  await Promise.all([running, waiting]);
  await untilIdle(own.server);
  const after = await own.adapter.metrics();
  expect(after).toMatchObject({ running: 0, waiting: 0 });
  // The slot keeps the canceled prefix.
  expect(after.kvUsage).toBeGreaterThan(0);
  expect(after.kvUsage).toBeLessThanOrEqual(1);
});
