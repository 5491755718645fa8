import { expect, test } from 'vitest';
import { scenarioTitles } from './feature-scenarios.ts';
import { testTitles } from './test-titles.ts';

const A = `OC-CORE-${9001}`;
const B = `OC-CORE-${9002}`;

function titlesOf(text: string): readonly string[] {
  return testTitles('x.test.ts', text).map(({ title }) => title);
}

test.each([
  ['a plain title', "test('a', () => {});", ['a']],
  ['it', "it('a', () => {});", ['a']],
  [
    'suites around it',
    "describe('x', () => { describe('y', () => { it('a', f); }); });",
    ['x > y > a'],
  ],
  ['a template', 'test(`a ${n + 1} b`, f);', ['a ${n + 1} b']],
  ['parts put together', "test('a ' + 'b', f);", ['a b']],
  ['a table', "test.each([1, 2])('a %i', f);", ['a %i']],
  ['a template table', 'test.each`n\n${1}`("a $n", f);', ['a $n']],
  ['a kit', "kit.describe('x', () => { kit.test('a', f); });", ['x > a']],
  ['a suite made elsewhere', "describeAdapter('x', subject, kit);", ['x']],
  [
    'what never runs',
    "test.skip('a', f); test.todo('b'); describe.skip('x', () => { it('c', f); });",
    [],
  ],
  ['what only looks like one', "/x/.test(line); test; other('a', f); // test('b')", []],
  ['a title that is computed', 'test(name, f); test.each(rows)(title(), f);', []],
])('%s', (_name, text, titles) => {
  expect(titlesOf(text)).toEqual(titles);
});

test('rows that fill in ids give a title each', () => {
  expect(titlesOf(`test.each([['${A}', 1], ['${B}', 2]] as const)('%s is %i', f);`)).toEqual([
    `${A} is 1`,
    `${B} is 2`,
  ]);
  expect(titlesOf(`test.each([{ id: '${A}' }])('$id holds', f);`)).toEqual([`${A} holds`]);
});

test('a test that may be skipped is told apart, by itself or by its suite', () => {
  const text =
    "test('a', f); test.skipIf(x)('b', f); describe.runIf(x)('s', () => { it('c', f); });";
  expect(testTitles('x.ts', text).map(({ mayBeSkipped }) => mayBeSkipped)).toEqual([
    false,
    true,
    true,
  ]);
});

test('a scenario has the tags of its feature and its rule', () => {
  const text = [
    `@${A}`,
    'Feature: Admission',
    '  @slow',
    '  Rule: Bounds',
    '    # a comment',
    `    @${B} @again`,
    '    Scenario Outline: a full queue',
    '      Given a table',
    '    Scenario: an empty one',
  ].join('\n');
  expect(scenarioTitles(text).map(({ title, line }) => [line, title])).toEqual([
    [7, `Admission > a full queue (@${A} @slow @${B} @again)`],
    [9, `Admission > an empty one (@${A} @slow)`],
  ]);
});
