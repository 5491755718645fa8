import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EngineError } from '../api/types.ts';
import { createTextOutput } from './text-output.ts';
import type { TextOutput } from './text-output.ts';

const read = (output: TextOutput, chunks: readonly string[]) => {
  const fresh = chunks.map((chunk) => output.push(chunk));
  const { more, withdrawn } = output.end();
  const text = fresh.join('');
  return { fresh, text: text.slice(0, text.length - withdrawn) + more, withdrawn };
};
/** What a model that repeats all text sends. */
const growing = (pieces: readonly string[]) =>
  pieces.map((_piece, at) => pieces.slice(0, at + 1).join(''));

/** Pieces of few letters, so that chunks often begin with the one before by chance. */
const pieces = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '蛙'), maxLength: 3 }), {
  minLength: 1,
  maxLength: 12,
});

test('OC-ADAPT-5063 new text and all text give the same text', () => {
  fc.assert(
    fc.property(pieces, (all) => {
      const text = all.join('');
      expect(read(createTextOutput('delta'), all)).toMatchObject({ text, fresh: all });
      expect(read(createTextOutput('cumulative'), growing(all))).toMatchObject({
        text,
        fresh: all,
      });
    }),
  );
});

test('OC-ADAPT-5063 all text so far is told from the stream, whatever the text', () => {
  fc.assert(
    fc.property(pieces, (all) => {
      fc.pre(all.filter((piece) => piece !== '').length !== 1);
      expect(read(createTextOutput(undefined), growing(all)).text).toBe(all.join(''));
    }),
  );
});

test('OC-ADAPT-5063 new text is told from the stream by the first chunk that does not repeat', () => {
  fc.assert(
    fc.property(pieces, (rest) => {
      const all = ['a', 'b', ...rest];
      expect(read(createTextOutput(undefined), all).text).toBe(all.join(''));
    }),
  );
});

test('OC-ADAPT-5063 a stream is read one way throughout, or is garbage', () => {
  const spoken = pieces.map((all) => all.filter((piece) => piece !== ''));
  fc.assert(
    fc.property(spoken, (chunks) => {
      const repeats = chunks.every((chunk, at) => chunk.startsWith(chunks[at - 1] ?? ''));
      try {
        const { text } = read(createTextOutput(undefined), chunks);
        expect([chunks.join(''), chunks.at(-1)]).toContain(text);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        expect(error.fault).toBe('garbage');
        expect(repeats).toBe(false);
      }
    }),
  );
});

test.each([
  ['a repeated line break', ['\n', '\n', '\n', 'x'], '\n\n\nx'],
  ['line breaks of growing tokens', ['\n', '\n\n', 'x'], '\n\n\nx'],
  ['one chunk', ['x'], 'x'],
  ['the same chunk only', ['ha', 'ha', 'ha'], 'hahaha'],
  ['growth at the very end', ['ha', 'haha'], 'haha'],
  ['empty chunks before', ['', '', 'a', 'ab', 'abc'], 'abc'],
])('OC-ADAPT-5063 %s', (_name, chunks, text) => {
  expect(read(createTextOutput(undefined), chunks).text).toBe(text);
});

test('OC-ADAPT-5063 a code point that is still open is held back, a broken one given out at the end', () => {
  const output = createTextOutput('cumulative');
  expect(
    ['a', 'a\ufffd', 'a\ufffd\ufffd', 'a蛙', 'a蛙\ufffd'].map((chunk) => output.push(chunk)),
  ).toEqual(['a', '', '', '蛙', '']);
  expect(output.end()).toEqual({ more: '\ufffd', withdrawn: 0 });
});

test('OC-ADAPT-5065 what the last response takes back is told', () => {
  expect(read(createTextOutput('cumulative'), ['ab', 'ab\nEN', 'ab'])).toEqual({
    fresh: ['ab', '\nEN', ''],
    text: 'ab',
    withdrawn: 3,
  });
});

test('OC-ADAPT-5063 text that changes is garbage', () => {
  const output = createTextOutput('cumulative');
  output.push('the old pond');
  expect(() => output.push('the new pond')).toThrow(expect.objectContaining({ fault: 'garbage' }));
});
