import { expect, test } from 'vitest';
import { createFakeModel, END_TOKEN, type FakeModelOptions } from './fake-token-model.ts';
import { completionParams, runGeneration } from './generation-fixture.ts';
import { createSlotBoard } from './slots.ts';

const bytes = (text: string) => [...Buffer.from(text)];
const open = (options: FakeModelOptions = {}) => {
  const model = createFakeModel(options);
  const board = createSlotBoard(model.sequences, { chunk: 4, maxDeferred: 0 });
  return { model, slot: board.slots[0]! };
};

test('an end token ends the text, counts as a token and is told in its own event', async () => {
  const { model, slot } = open({ script: [...bytes('hi'), END_TOKEN] });
  const { text, events, end } = await runGeneration({
    model,
    slot,
    params: completionParams({ prompt: 'p' }),
  });
  expect(text).toBe('hi');
  expect(events.at(-1)).toEqual({ text: '', tokens: [END_TOKEN], predicted: 3, probs: [] });
  expect(end).toMatchObject({ stopType: 'eos', predicted: 3, heldTokens: 3, truncated: false });
});

test('with ignore_eos an end token adds no text and ends nothing', async () => {
  const { model, slot } = open({ script: [...bytes('a'), END_TOKEN, ...bytes('b')] });
  const params = completionParams({ prompt: 'p', ignoreEos: true, maxTokens: 3 });
  const { text, end } = await runGeneration({ model, slot, params });
  expect(text).toBe('ab');
  expect(end).toMatchObject({ stopType: 'limit', predicted: 3 });
});

test('a stop string ends the text before it and is named', async () => {
  const { model, slot } = open({ script: bytes('one\ntwo\nthree') });
  const params = completionParams({ prompt: 'p', stop: ['\nt'], maxTokens: 20 });
  const { text, end } = await runGeneration({ model, slot, params });
  expect(text).toBe('one');
  expect(end).toMatchObject({ stopType: 'word', stoppingWord: '\nt', predicted: 5 });
});

test('text held back for a stop string is given out when the limit ends it', async () => {
  const { model, slot } = open({ script: bytes('ab##') });
  const params = completionParams({ prompt: 'p', stop: ['###'], maxTokens: 4 });
  const { text, events, end } = await runGeneration({ model, slot, params });
  expect(text).toBe('ab##');
  expect(events.map((event) => event.text)).toEqual(['a', 'b', '', '##']);
  expect(end).toMatchObject({ stopType: 'limit' });
});

test('a code point of several tokens is one event with all of their ids', async () => {
  const { model, slot } = open({ script: [...bytes('é€'), END_TOKEN] });
  const { events } = await runGeneration({
    model,
    slot,
    params: completionParams({ prompt: 'p' }),
  });
  expect(events.map((event) => [event.text, event.tokens.length])).toEqual([
    ['é', 2],
    ['€', 3],
    ['', 1],
  ]);
});

test('OC-EMBED-4146 each event carries a probability for each of its tokens, held-back ones included', async () => {
  const { model, slot } = open({ script: [...bytes('aé##b'), END_TOKEN] });
  const params = completionParams({ prompt: 'prompt', stop: ['###'], probs: 2 });
  const { text, events } = await runGeneration({ model, slot, params });
  expect(text).toBe('aé##b');
  for (const { tokens, probs } of events) expect(probs.map(({ token }) => token)).toEqual(tokens);
  expect(events.map(({ probs }) => probs.length)).toEqual([1, 2, 1, 1, 1, 1]);
  const [first] = events[0]?.probs ?? [];
  expect(first).toMatchObject({ token: 97, logprob: -0.5, top: [{ token: 97 }, { token: 98 }] });
  expect(first?.textOf(98)).toBe('b');
});

test('OC-EMBED-4146 probabilities change neither the text nor what the slot keeps', async () => {
  for (let seed = 0; seed < 8; seed += 1) {
    const run = async (probs: number) => {
      const { model, slot } = open();
      const params = completionParams({ prompt: 'a long enough prompt', seed, probs });
      const { text } = await runGeneration({ model, slot, params });
      return { text, canonical: slot.canonical, held: slot.sequence.length };
    };
    expect(await run(3)).toEqual(await run(0));
  }
});

test('a full context ends generation as truncated', async () => {
  const { model, slot } = open({ ctx: 10 });
  const params = completionParams({ prompt: '123456', maxTokens: Infinity });
  const { end } = await runGeneration({ model, slot, params });
  expect(end).toMatchObject({ stopType: 'limit', truncated: true, predicted: 4, heldTokens: 9 });
});

test('cache_prompt false evaluates all of the prompt again', async () => {
  const { model, slot } = open();
  const params = completionParams({ prompt: 'a long enough prompt' });
  await runGeneration({ model, slot, params });
  const warm = await runGeneration({ model, slot, params });
  expect(warm.end?.cachedTokens).toBe(16);
  const cold = await runGeneration({ model, slot, params: { ...params, cachePrompt: false } });
  expect(cold.end?.cachedTokens).toBe(0);
  expect(cold.text).toBe(warm.text);
});

test('a failed decode empties the slot, and the next request is served', async () => {
  let failing = false;
  const { model, slot } = open({
    beforeDecode: () => {
      if (failing) throw new Error('decode failed');
    },
  });
  const params = completionParams({ prompt: 'a long enough prompt' });
  const before = await runGeneration({ model, slot, params });
  failing = true;
  await expect(runGeneration({ model, slot, params })).rejects.toThrow('decode failed');
  expect(slot.sequence.length).toBe(0);
  failing = false;
  const after = await runGeneration({ model, slot, params });
  expect(after.end?.cachedTokens).toBe(0);
  expect(after.text).toBe(before.text);
});
