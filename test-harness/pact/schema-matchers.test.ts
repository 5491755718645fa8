/** What the schemas make of an example. */
import { MatchersV3 } from '@pact-foundation/pact';
import { expect, test } from 'vitest';
import type { JsonObject } from './contract-examples.ts';
import { templateOf } from './schema-matchers.ts';

const { arrayContaining, eachLike, equal, integer, like, regex, string } = MatchersV3;
const template = (schema: JsonObject, example: JsonObject, exact: readonly string[] = []) =>
  templateOf({ file: 'data.yaml', node: schema }, example, new Set(exact));
const properties = (fields: JsonObject): JsonObject => ({ properties: fields });

test('OC-TEST-7402 values vary within their schema', () => {
  const schema = properties({
    n: { type: 'integer' },
    state: { type: 'string', enum: ['queued', 'running'] },
    id: { $ref: '#/components/schemas/Name' },
    text: { type: 'string' },
    list: { items: { type: 'integer' } },
    none: { items: { type: 'integer' } },
  });
  const example = { n: 3, state: 'queued', id: 'a', text: 't', list: [1, 2], none: [] };
  expect(template(schema, example)).toEqual({
    n: integer(3),
    state: regex('^(queued|running)$', 'queued'),
    id: regex('^[A-Za-z0-9][A-Za-z0-9._-]*$', 'a'),
    text: string('t'),
    list: eachLike(integer(1)),
    none: like([]),
  });
});

test('OC-TEST-7402 what is fixed is fixed, also inside of what varies', () => {
  const schema = properties({ items: { items: properties({ id: { type: 'string' } }) } });
  expect(template(schema, { items: [{ id: 'a' }] }, ['/items/0/id'])).toEqual({
    items: eachLike({ id: equal('a') }),
  });
  expect(template(properties({ ok: { const: true } }), { ok: true })).toEqual({ ok: equal(true) });
});

test('OC-TEST-7402 parts of a schema count together', () => {
  const schema = { allOf: [properties({ a: { type: 'integer' } }), properties({ b: {} })] };
  expect(template(schema, { a: 1, b: 'x' })).toEqual({ a: integer(1), b: string('x') });
});

test('OC-TEST-7402 of elements of several shapes each is expected somewhere', () => {
  const shape = (kind: string, field: string): JsonObject =>
    properties({ kind: { enum: [kind] }, [field]: { type: 'integer' } });
  const schema = properties({ list: { items: { oneOf: [shape('x', 'n'), shape('y', 'm')] } } });
  expect(
    template(schema, {
      list: [
        { kind: 'y', m: 1 },
        { kind: 'x', n: 2 },
      ],
    }),
  ).toEqual({
    list: arrayContaining(
      { kind: regex('^(y)$', 'y'), m: integer(1) },
      { kind: regex('^(x)$', 'x'), n: integer(2) },
    ),
  });
  expect(() => template(schema, { list: [{ kind: 'z' }] })).toThrow('no shape is of kind "z"');
});
