/** fast-check arbitraries of what satisfies a schema, edges included. */
import fc from 'fast-check';
import type { Schema, SchemaObject } from './inline-schema.ts';
import { shapesOf, type Shape } from './object-shapes.ts';
import type { Sent, SentObject } from './sent-value.ts';

/** Longer texts and lists than these are rare in requests; the bounds themselves come up as edges. */
const USUAL_LENGTH = 48;
const USUAL_ITEMS = 4;
/** Texts and lists at a bound above these would be most of what is sent. */
const EDGE_LENGTH = 4_096;
const EDGE_ITEMS = 32;
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n } as const;

const made = new WeakMap<SchemaObject, fc.Arbitrary<Sent>>();

/** @throws Error for a schema that nothing satisfies, or that says nothing of the value's type */
export function validValues(schema: Schema): fc.Arbitrary<Sent> {
  if (schema === false) throw new Error('nothing is valid here');
  if (schema === true) return fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Sent>;
  const found = made.get(schema);
  if (found !== undefined) return found;
  const values = fromSchema(schema);
  made.set(schema, values);
  return values;
}

const examples = new WeakMap<SchemaObject, Sent>();

/** A valid value, always the same one for a schema. */
export function exampleOf(schema: Schema): Sent {
  if (typeof schema === 'boolean') return true;
  const known = examples.get(schema);
  if (known !== undefined) return known;
  const [example = null] = fc.sample(validValues(schema), { numRuns: 1, seed: 1 });
  examples.set(schema, example);
  return example;
}

function fromSchema(schema: SchemaObject): fc.Arbitrary<Sent> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return integers(schema);
    case 'number':
      return numbers(schema);
    case 'string':
      return texts(schema);
    case 'array':
      return lists(schema);
    case 'object':
      return fc.oneof(...shapesOf(schema).map((shape) => objects(schema, shape)));
    default:
      throw new Error(`a schema without a type: ${JSON.stringify(schema)}`);
  }
}

function integers({ format, minimum, maximum }: SchemaObject): fc.Arbitrary<Sent> {
  if (format === 'int64') {
    const any = fc.bigInt(INT64);
    return fc.oneof(fc.maxSafeInteger(), any, fc.constantFrom<Sent[]>(INT64.min, INT64.max));
  }
  const { min, max } = { min: minimum ?? -(2 ** 31), max: maximum ?? 2 ** 31 };
  const near = fc.integer({ min, max: Math.min(max, min + 1_000) });
  return fc.oneof(near, fc.integer({ min, max }), fc.constantFrom(min, max));
}

function numbers({ minimum, maximum }: SchemaObject): fc.Arbitrary<Sent> {
  const { min, max } = { min: minimum ?? -1e6, max: maximum ?? 1e6 };
  const between = fc.double({ min, max, noNaN: true });
  return fc.oneof({ weight: 4, arbitrary: between }, fc.constantFrom(min, max));
}

function texts(schema: SchemaObject): fc.Arbitrary<string> {
  const { pattern, minLength: min = 0, maxLength: max = Infinity } = schema;
  if (pattern !== undefined) {
    const expression = new RegExp(pattern, 'u');
    const fits = (text: string): boolean => {
      const length = [...text].length;
      return length >= min && length <= max && expression.test(text);
    };
    // Repeating the last character keeps to every pattern that has a bound of its own for the length.
    const filled = (text: string, length: number): string =>
      text + (text.at(-1) ?? '').repeat(Math.max(0, length - text.length));
    const usual = fc
      .stringMatching(expression)
      .map((text) => (text.length < min ? filled(text, min) : text))
      .filter(fits);
    if (max > EDGE_LENGTH) return usual;
    const longest = usual.map((text) => (fits(filled(text, max)) ? filled(text, max) : text));
    return fc.oneof({ weight: 7, arbitrary: usual }, longest);
  }
  const usualMax = Math.min(max, Math.max(min, USUAL_LENGTH));
  const usual = (unit: 'grapheme' | 'binary'): fc.Arbitrary<string> =>
    fc.string({ unit, minLength: min, maxLength: usualMax }).filter((t) => [...t].length <= max);
  const edges = [min, max].filter((length) => length <= EDGE_LENGTH);
  const atEdge = edges.map((length) =>
    fc.string({ unit: 'binary', minLength: length, maxLength: length }),
  );
  return fc.oneof(
    { weight: 6, arbitrary: usual('grapheme') },
    { weight: 2, arbitrary: usual('binary') },
    ...atEdge.slice(0, 1),
    ...(max <= EDGE_LENGTH
      ? [fc.constantFrom('a', '\u{1f600}').map((unit) => unit.repeat(max))]
      : []),
  );
}

function lists({ items = true, minItems: min = 0, maxItems: max = Infinity }: SchemaObject) {
  const item = validValues(items);
  const usual = fc.array(item, { minLength: min, maxLength: Math.min(max, min + USUAL_ITEMS) });
  if (max > EDGE_ITEMS) return usual;
  const longest = item.map((each) => Array.from({ length: max }, () => each));
  return fc.oneof({ weight: 7, arbitrary: usual }, longest);
}

function objects(schema: SchemaObject, shape: Shape): fc.Arbitrary<SentObject> {
  const { fields, required, chosen, absent } = shape;
  const needed = [...required.union(chosen)];
  const values = Object.fromEntries(
    [...fields].flatMap(([name, field]) =>
      field === false || absent.has(name) ? [] : [[name, validValues(field)]],
    ),
  ) as Record<string, fc.Arbitrary<Sent>>;
  const least = Object.fromEntries(needed.map((name) => [name, values[name] ?? fc.jsonValue()]));
  const declared: fc.Arbitrary<SentObject> = fc.oneof(
    fc.record({ ...values, ...least } as typeof values, { requiredKeys: needed }),
    fc.record(least as typeof values),
  );
  const { additionalProperties: more = true, propertyNames = true, maxProperties } = schema;
  if (more === false) return declared;
  const name = typeof propertyNames === 'boolean' ? fc.string() : namesOf(propertyNames);
  const others = fc.dictionary(name, validValues(more), {
    maxKeys: Math.min(maxProperties ?? USUAL_ITEMS, USUAL_ITEMS),
    noNullPrototype: true,
  });
  return fc.tuple(others, declared).map(([extra, own]) => ({ ...extra, ...own }));
}

function namesOf(schema: SchemaObject): fc.Arbitrary<string> {
  return texts({ ...schema, type: 'string' });
}
