import { expect, test } from 'vitest';
import { checkConstraintLimits } from './constraint-limits.ts';

const gbnf = (text: string) => () => checkConstraintLimits({ kind: 'grammar', gbnf: text });
const schema = (value: object) => () => checkConstraintLimits({ kind: 'schema', schema: value });
const nested = (depth: number): object =>
  depth === 0 ? {} : { type: 'array', items: nested(depth - 1) };
const refusal = expect.objectContaining({ type: 'invalid_request_error' }) as Error;

test('ordinary grammars and schemas pass', () => {
  expect(gbnf('root ::= "yes" | ("no" ("!" | "?"))')).not.toThrow();
  expect(schema({ type: 'object', properties: { a: { enum: ['x', 'y'] } } })).not.toThrow();
});

test('OC-EMBED-4141 grammars and schemas nested too deep are refused', () => {
  expect(gbnf(`root ::= ${'('.repeat(60)}"a"${')'.repeat(60)}`)).not.toThrow();
  expect(gbnf(`root ::= ${'('.repeat(65)}"a"${')'.repeat(65)}`)).toThrow(refusal);
  expect(schema(nested(60))).not.toThrow();
  expect(schema(nested(65))).toThrow(refusal);
  expect(schema(nested(5000))).toThrow(refusal);
});

test('parentheses in literals, sets and comments are no nesting', () => {
  const many = '('.repeat(100);
  expect(gbnf(`root ::= "${many}\\"(" [${many}\\]] # ${many}\n`)).not.toThrow();
});

test('OC-EMBED-4141 grammars and schemas of more than 64 KiB are refused', () => {
  expect(gbnf(`root ::= "${'a'.repeat(70_000)}"`)).toThrow(refusal);
  expect(schema({ enum: ['a'.repeat(70_000)] })).toThrow(refusal);
});
