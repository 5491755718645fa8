import { expect, test } from 'vitest';
import { startAtFirstToken } from './first-token-start.ts';
import type { TokenSink } from './types.ts';

const setUp = (held?: Promise<void>) => {
  const calls: string[] = [];
  const sink: TokenSink = {
    started: () => void calls.push('started'),
    tokens: (pieces) => {
      calls.push(...pieces);
      return held;
    },
  };
  return { calls, ...startAtFirstToken(sink) };
};

test('OC-ADAPT-5009 the start is told once, with the first text', () => {
  const { calls, sink, settle } = setUp();
  sink.started();
  expect(calls).toEqual([]);
  void sink.tokens(['a']);
  void sink.tokens(['b']);
  settle();
  expect(calls).toEqual(['started', 'a', 'b']);
});

test('without text it is told in the end', () => {
  const { calls, settle } = setUp();
  settle();
  settle();
  expect(calls).toEqual(['started']);
});

test('what the sink returns holds the engine back', () => {
  const held = Promise.resolve();
  expect(setUp(held).sink.tokens(['a'])).toBe(held);
});
