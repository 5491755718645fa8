import { expect, test } from 'vitest';
import { createStopReader } from './stop-reader.ts';
import type { EngineResult } from './types.ts';

const RESULT: EngineResult = {
  finishReason: 'length',
  tokensIn: 3,
  tokensOut: 4,
  cachedTokens: 0,
  decodeMs: undefined,
  slotId: undefined,
};

/** A protocol whose events are pieces of text; `$` ends the generation, `!` the stream. */
const readEvent = (data: string, pieces: string[]): EngineResult | undefined => {
  const text = data.replace(/[$!]/g, '');
  if (text !== '') pieces.push(text);
  return data.endsWith('!') ? RESULT : undefined;
};

/** What a stream of `events` gives, as far as it is read. */
const readAll = (stops: readonly string[], events: readonly string[]) => {
  const read = createStopReader(stops, readEvent, (data) => /[$!]/.test(data));
  const pieces: string[] = [];
  for (const [at, event] of events.entries()) {
    const end = read(event, pieces);
    if (end !== undefined) return { pieces, end, eventsRead: at + 1 };
  }
  return { pieces, end: undefined, eventsRead: events.length };
};

test('a stop string that the engine sees too is the end both agree on', () => {
  expect(readAll(['END'], ['a', ' E', 'ND!'])).toEqual({
    pieces: ['a', ' '],
    end: { result: { ...RESULT, finishReason: 'stop' }, early: false },
    eventsRead: 3,
  });
});

test('what the protocol sends after the end of the generation is waited for', () => {
  expect(readAll(['END'], ['a', 'END$', 'usage', 'done!'])).toEqual({
    pieces: ['a'],
    end: { result: { ...RESULT, finishReason: 'stop' }, early: false },
    eventsRead: 4,
  });
});

test('OC-ADAPT-5044 a stop string that the engine does not see is an early end', () => {
  expect(readAll(['END'], ['a', ' ENDED', 'b!'])).toMatchObject({
    pieces: ['a', ' '],
    end: { result: { finishReason: 'stop', tokensOut: 2 }, early: true },
    eventsRead: 2,
  });
});

test('what only looked like a stop string is given out, at the latest at the end', () => {
  expect(readAll(['END'], ['E', 'N', 'x', ' E', 'N!'])).toMatchObject({
    pieces: ['ENx', ' ', 'EN'],
    end: { result: RESULT, early: false },
  });
});
