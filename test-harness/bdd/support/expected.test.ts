import { describe, expect, test } from 'vitest';
import { expectFields, isExpected, jsonOfCell, valueAt } from './expected.ts';

describe('a cell', () => {
  test.each([
    ['any', 0, undefined],
    ['absent', undefined, null],
    ['> 3', 4, 3],
    ['≥ 3', 3, 2],
    ['0 to 1', 1, 1.1],
    ['/^a.c$/', 'abc', 'abcd'],
    ['12', 12, '12'],
    ['stop', 'stop', 'length'],
    ['["one"]', ['one'], ['two']],
    ['false', false, undefined],
  ])('%s is met by %j and not by %j', (cell, good, bad) => {
    expect(isExpected(good, cell)).toBe(true);
    expect(isExpected(bad, cell)).toBe(false);
  });

  test('that is JSON is sent digit for digit, any other as a text', () => {
    expect(jsonOfCell('9223372036854775807')).toBe('9223372036854775807');
    expect(jsonOfCell('strict')).toBe('"strict"');
  });
});

test('a path leads through objects and lists, and nowhere else', () => {
  const value = { engines: [{ engine: 'llamacpp' }] };
  expect(valueAt(value, 'engines.0.engine')).toBe('llamacpp');
  expect(valueAt(value, 'engines.1.engine')).toBeUndefined();
  expect(valueAt(value, 'engines.length.constructor')).toBeUndefined();
});

test('every field that is not as expected is named', () => {
  const check = () =>
    expectFields({ a: 1, b: 2, c: 3 }, [
      ['a', '1'],
      ['b', '1'],
      ['d', 'any'],
    ]);
  expect(check).toThrow(/^b is 2, not 1; d is undefined, not any in/);
});
