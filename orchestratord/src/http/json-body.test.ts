import { OrchError } from '@llama-orch/contracts';
import type { Request } from 'express';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_JSON_DEPTH, MAX_JSON_MEMBERS, parseJsonBody, parseJsonBytes } from './json-body.ts';

const parse = (text: string) => parseJsonBytes(Buffer.from(text));

test('any JSON within the depth is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 10 }), (text) => {
      expect(parse(text).value).toEqual(JSON.parse(text));
    }),
  );
});

describe('the depth bound', () => {
  test('counts brackets, not strings that look like them', () => {
    const strings = JSON.stringify({ prompt: `${'['.repeat(500)}\\"{{{ "quoted" \\\\` });
    expect(parse(strings).value).toEqual(JSON.parse(strings));
  });

  test('counts no more than is open at once, whatever stands between', () => {
    const flat = `[${'{},[],'.repeat(1_000)}0]`;
    expect(parse(flat).value).toHaveLength(2_001);
    const deep = MAX_JSON_DEPTH + 1;
    expect(() => parse('[0, '.repeat(deep) + ']'.repeat(deep))).toThrow(/nests deeper/);
    expect(() => parse('{"a":'.repeat(deep) + '}'.repeat(deep))).toThrow(/nests deeper/);
  });

  test.each([MAX_JSON_DEPTH, MAX_JSON_DEPTH + 1, 100_000])('at %i levels', (levels) => {
    const text = '['.repeat(levels) + ']'.repeat(levels);
    if (levels <= MAX_JSON_DEPTH) expect(parse(text).value).toBeDefined();
    else expect(() => parse(text)).toThrow(/nests deeper/);
  });
});

test('OC-CTRL-2032 a body of very many fields is refused before it is parsed', () => {
  expect(parse(`[${'0,'.repeat(MAX_JSON_MEMBERS)}0]`).value).toHaveLength(MAX_JSON_MEMBERS + 1);
  expect(() => parse(`[${'0,'.repeat(MAX_JSON_MEMBERS + 1)}0]`)).toThrow(/more than/);
  expect(parse(JSON.stringify({ prompt: ','.repeat(100_000) })).value).toBeDefined();
});

test.each([
  ['not JSON', Buffer.from('{')],
  ['NaN', Buffer.from('{"temperature":NaN}')],
  ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['an unfinished string', Buffer.from('"\\')],
])('%s is INVALID_PARAMS and the body is not repeated', (_name, bytes) => {
  try {
    parseJsonBytes(bytes);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(OrchError);
    expect((error as OrchError).kind).toBe('INVALID_PARAMS');
    expect((error as OrchError).message).not.toContain('temperature');
  }
});

test('what is not JSON is told by its position', () => {
  expect(() => parse('{"a":1,}')).toThrow('the body is not valid JSON (at byte 7)');
});

describe('the content type', () => {
  const bodyOf = (type: string | undefined, body: unknown = Buffer.from('{"a":1}')) =>
    parseJsonBody({ headers: { 'content-type': type }, body } as unknown as Request).value;

  test.each([
    'application/json',
    'Application/JSON ; charset=utf-8',
    'application/problem+json',
    'application/vnd.a-b.c+json',
  ])('%s is JSON', (type) => {
    expect(bodyOf(type)).toEqual({ a: 1 });
  });

  test.each([
    undefined,
    '',
    'text/plain',
    'application/json5',
    'application/+json',
    'application/problem+jsonl',
    'x-application/problem+json',
    'text/plain; application/json',
  ])('%s is not', (type) => {
    expect(() => bodyOf(type)).toThrow(
      expect.objectContaining({
        kind: 'INVALID_PARAMS',
        status: 415,
        details: [{ path: 'header:content-type', message: 'use application/json' }],
      }),
    );
  });

  test.each([undefined, {}, Buffer.alloc(0)])('no body at all is no JSON', (body) => {
    expect(() => bodyOf('application/json', body ?? null)).toThrow(/the body is empty/);
  });
});

describe('a seed beyond 2^53', () => {
  test('is kept digit for digit beside the rounded number', () => {
    expect(parse('{"prompt":"x","seed":9223372036854775807}').exactSeed).toBe(2n ** 63n - 1n);
    expect(parse('{"prompt":"x","seed": -9007199254740993}').exactSeed).toBe(-9007199254740993n);
  });

  test('is not confused with a seed elsewhere in the body', () => {
    const text = '{"json_schema":{"seed":9223372036854775807},"seed":5}';
    expect(parse(text).exactSeed).toBeUndefined();
  });

  test('is none when it is written as a fraction', () => {
    const { value, exactSeed } = parse('{"seed":12345678901234567890.0}');
    expect(exactSeed).toBeUndefined();
    expect(value).toEqual({ seed: Number('12345678901234567890') });
  });

  test('leaves small seeds to the number', () => {
    expect(parse('{"seed":42}').exactSeed).toBeUndefined();
  });
});
