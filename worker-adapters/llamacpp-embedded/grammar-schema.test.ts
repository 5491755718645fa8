import { expect, test } from 'vitest';
import { toGrammarSchema } from './grammar-schema.ts';

test.each([
  [{ type: 'integer' }, { type: 'integer' }],
  [{ type: 'string', title: 'T', description: 'D', default: 'x' }, { type: 'string' }],
  [
    { type: 'string', minLength: 1, maxLength: 5 },
    { type: 'string', minLength: 1, maxLength: 5 },
  ],
  [
    { type: 'string', format: 'date' },
    { type: 'string', format: 'date' },
  ],
  [{ type: 'string', format: 'email' }, { type: 'string' }],
  [{ type: 'string', enum: ['a', 'b', 3] }, { enum: ['a', 'b'] }],
  [{ const: null }, { enum: [null] }],
  [{ type: ['string', 'null'] }, { oneOf: [{ type: 'string' }, { type: 'null' }] }],
  [
    { anyOf: [{ type: 'integer' }, { const: 'none' }] },
    { oneOf: [{ type: 'integer' }, { enum: ['none'] }] },
  ],
  [{ maxItems: 2 }, { type: 'array', maxItems: 2 }],
  [
    { $ref: '#/$defs/a', $defs: { a: { type: 'null' } } },
    { $ref: '#/$defs/a', $defs: { a: { type: 'null' } } },
  ],
  [{ type: 'object' }, { type: 'object', properties: {}, additionalProperties: true }],
  [
    { properties: { a: { type: 'null' } }, required: ['a'] },
    { type: 'object', properties: { a: { type: 'null' } }, additionalProperties: false },
  ],
])('OC-EMBED-4147 %j is rewritten', (schema, expected) => {
  expect(toGrammarSchema(schema)).toEqual(expected);
});

test.each([
  [{ type: 'string', pattern: '^a' }, 'pattern'],
  [{ type: 'integer', minimum: 3 }, 'minimum'],
  [{ minimum: 3 }, 'minimum'],
  [{ type: 'number', multipleOf: 2 }, 'multipleOf'],
  [{ allOf: [{ type: 'string' }] }, 'allOf'],
  [{ not: { type: 'string' } }, 'not'],
  [{ type: 'array', items: { type: 'string', pattern: 'x' } }, 'pattern'],
  [{ type: 'array', items: false }, 'a schema'],
  [{ type: 'array', uniqueItems: true }, 'uniqueItems'],
  [{ type: 'array', prefixItems: [{}, {}], maxItems: 1 }, 'maxItems'],
  [{ type: 'object', required: ['a'] }, 'required'],
  [{ type: 'object', properties: { a: {}, b: {} }, maxProperties: 1 }, 'maxProperties'],
  [{ type: 'object', properties: {}, additionalProperties: false, minProperties: 1 }, 'minProp'],
  [{ type: 'string', minLength: 5, maxLength: 2 }, 'maxLength'],
  [{ type: 'string', minLength: 'x' }, 'minLength'],
  [{ enum: [{ a: 1 }] }, 'enum'],
  [{ type: 'string', enum: [1] }, 'enum'],
  [{ type: 'text' }, 'type'],
  [{ type: [] }, 'type'],
  [{ anyOf: [{ type: 'string' }], minLength: 3 }, 'minLength'],
  [{ oneOf: 'x' }, 'oneOf'],
  [{ $ref: '#/$defs/a' }, '$ref'],
  [{ type: 'array', items: { $ref: 'https://example.org' } }, '$ref'],
  [{ type: 'array', items: { $defs: {}, type: 'null' } }, '$defs'],
  [{ properties: 3 }, 'properties'],
])('OC-EMBED-4147 %j is refused by name rather than followed in part', (schema, name) => {
  expect(() => toGrammarSchema(schema)).toThrow(
    expect.objectContaining({
      type: 'invalid_request_error',
      message: expect.stringContaining(`'${name}`) as string,
    }),
  );
});
