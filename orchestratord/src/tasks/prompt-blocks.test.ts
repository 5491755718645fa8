import { expect, test } from 'vitest';
import { promptPrefix, prefixSeed } from './prompt-blocks.ts';

const SECRET = new Uint8Array(32);
const options = { seed: prefixSeed(SECRET, ['pool', 'model']), tokensPerByte: 0.25 };
const long = (word: string, times = 100) => `${word} of the prompt. `.repeat(times);
const user = (content: string) => ({ role: 'user', content }) as const;
const assistant = (content: string) => ({ role: 'assistant', content }) as const;

function sharedPlaces(a: { hashes: readonly number[] }, b: { hashes: readonly number[] }): number {
  const at = a.hashes.findIndex((hash, place) => hash !== b.hashes[place]);
  return at < 0 ? a.hashes.length : at;
}

test('the next turn of a chat repeats every place of the turn before', () => {
  const first = [user(long('one'))];
  const next = [...first, assistant(long('two')), user('three')];
  const before = promptPrefix({ messages: first }, 'auto', options);
  const after = promptPrefix({ messages: next }, 'auto', options);
  expect(before.hashes.length).toBeGreaterThan(4);
  expect(sharedPlaces(before, after)).toBe(before.hashes.length);
});

test('with its reply a turn has every place that the next turn can share', () => {
  const messages = [user(long('one'))];
  const reply = long('two');
  const answered = promptPrefix({ messages }, 'auto', options, reply);
  const next = [...messages, assistant(reply), user(long('three'))];
  const after = promptPrefix({ messages: next }, 'auto', options);
  const alone = promptPrefix({ messages }, 'auto', options);
  expect(answered.hashes.length).toBeGreaterThan(alone.hashes.length);
  expect(sharedPlaces(answered, after)).toBe(answered.hashes.length);
});

test('a raw prompt goes on with its reply without a break', () => {
  const answered = promptPrefix({ prompt: long('one') }, 'raw', options, long('two'));
  const after = promptPrefix({ prompt: long('one') + long('two') + long('three') }, 'raw', options);
  expect(sharedPlaces(answered, after)).toBe(answered.hashes.length);
});

test('where a message ends makes a difference', () => {
  const [a, b] = [long('one'), long('two')];
  const apart = promptPrefix({ messages: [user(a), user(b)] }, 'auto', options);
  const other = promptPrefix({ messages: [user(`${a}x`), user(b.slice(1))] }, 'auto', options);
  expect(sharedPlaces(apart, other)).toBe(Math.floor((4 + 1 + a.length) / 256));
});

test('who says it makes a difference', () => {
  const said = promptPrefix({ messages: [user(long('one'))] }, 'auto', options);
  const answered = promptPrefix({ messages: [assistant(long('one'))] }, 'auto', options);
  expect(sharedPlaces(said, answered)).toBe(0);
});

test('a bare prompt in a chat is the one message it becomes; a raw one is not', () => {
  const prompt = long('one');
  const message = promptPrefix({ messages: [user(prompt)] }, 'auto', options);
  expect(promptPrefix({ prompt }, 'auto', options)).toEqual(message);
  expect(promptPrefix({ prompt }, 'chat', options)).toEqual(message);
  expect(sharedPlaces(promptPrefix({ prompt }, 'raw', options), message)).toBe(0);
});

test('one document asked two questions matches up to the questions', () => {
  const document = long('document', 1_000);
  const ask = (question: string) => promptPrefix({ prompt: document + question }, 'chat', options);
  const shared = sharedPlaces(ask(long('why')), ask(long('how')));
  const places = promptPrefix({ prompt: document }, 'chat', options).hashes.length;
  expect(shared).toBeGreaterThanOrEqual(places - 1);
});

test('prompts of different tenants have nothing in common where the seed names the tenant', () => {
  const prompt = long('one');
  const under = (tenant: string) =>
    promptPrefix({ prompt }, 'chat', {
      ...options,
      seed: prefixSeed(SECRET, ['pool', 'model', tenant]),
    });
  expect(under('a')).toEqual(under('a'));
  const others = new Set(under('b').hashes);
  expect(under('a').hashes.filter((hash) => others.has(hash))).toEqual([]);
});

test('no two scopes give one seed by how they are cut', () => {
  expect(prefixSeed(SECRET, ['ab', 'c'])).not.toBe(prefixSeed(SECRET, ['a', 'bc']));
});

test('tokens are estimated at the scale of the caller', () => {
  expect(promptPrefix({ prompt: 'x' }, 'raw', { seed: 0, tokensPerByte: 0.3 }).blockTokens).toBe(
    76.8,
  );
});

test('it survives being stored as JSON', () => {
  const prefix = promptPrefix({ prompt: long('one') }, 'chat', options);
  expect(JSON.parse(JSON.stringify(prefix))).toEqual(prefix);
});
