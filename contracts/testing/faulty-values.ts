/**
 * Near misses: a valid value with one keyword of its schema broken at one place, together with the place
 * that a refusal has to name.
 */
import fc from 'fast-check';
import { jsonPointer } from '../src/faults.ts';
import type { SchemaObject } from './inline-schema.ts';
import { hasShape, shapesOf, type Shape } from './object-shapes.ts';
import { isSentObject, withField, withoutField, type Sent, type SentObject } from './sent-value.ts';
import { exampleOf, validValues } from './valid-values.ts';

export interface Faulty {
  readonly value: Sent;
  readonly keyword: string;
  /** Where it is at fault: a JSON pointer. */
  readonly path: string;
  /** Conditions of the schema look at this place, so that others may be at fault with it. */
  readonly isPivotal: boolean;
}

/** A way to break a value. `ways`: the values that do it, one as good as the other. */
interface Break {
  readonly keyword: string;
  readonly path: string;
  readonly isPivotal: boolean;
  readonly ways: readonly (() => Sent)[];
}

/** Bounds above these are not broken: the request would be refused for its size instead. */
const MAX_LENGTH = 100_000;
const MAX_ITEMS = 1_024;
/** Of a long list or map, the items that are broken one by one. */
const ITEMS_BROKEN = 3;

const WRONG_TYPES: readonly Sent[] = [null, true, 0, 0.5, '', '0', 'true', [], {}, [null]];
const UNKNOWN_FIELDS = ['unknown', '__proto__', 'constructor', 'toString', 'a/b~c', '', 'é\u0000'];

/** @throws Error for a schema that everything satisfies */
export function faultyValues(schema: SchemaObject): fc.Arbitrary<Faulty> {
  return fc
    .tuple(validValues(schema), fc.nat(), fc.nat(), fc.nat())
    .map(([value, keywordAt, breakAt, wayAt]) => {
      const breaks = breaksOf(schema, value);
      const keywords = [...new Set(breaks.map((each) => each.keyword))].sort();
      const keyword = pick(keywords, keywordAt);
      const chosen = pick(
        breaks.filter((each) => each.keyword === keyword),
        breakAt,
      );
      const { path, isPivotal } = chosen;
      return { value: pick(chosen.ways, wayAt)(), keyword, path, isPivotal };
    });
}

/** Every keyword that {@link faultyValues} can break in this value, with the places. */
export function breaksOf(schema: SchemaObject, value: Sent): readonly Break[] {
  return breaks(schema, value, [], (broken) => broken, false).filter(({ ways }) => ways.length > 0);
}

type Path = readonly (string | number)[];
/** The whole with another value at this place. */
type Put = (value: Sent) => Sent;

function breaks(
  schema: SchemaObject,
  value: Sent,
  path: Path,
  put: Put,
  isPivotal: boolean,
): readonly Break[] {
  const here: Here = (keyword, values) => ({
    keyword,
    path: jsonPointer(...path),
    isPivotal,
    ways: values.map((each) => () => put(each)),
  });
  const own: readonly Break[] =
    schema.enum !== undefined || schema.const !== undefined
      ? [here('enum', notAmong(schema.enum ?? [schema.const ?? null]))]
      : [
          here(
            'type',
            WRONG_TYPES.filter((each) => !hasType(schema, each)),
          ),
        ];
  if (typeof value === 'string') return [...own, ...ofText(schema, value, here)];
  if (typeof value === 'number' || typeof value === 'bigint') {
    return [...own, ...ofNumber(schema, here)];
  }
  if (Array.isArray(value)) return [...own, ...ofList(schema, value, path, put, here)];
  if (isSentObject(value)) return [...own, ...ofObject(schema, value, path, put)];
  return own;
}

/** A keyword that these values break at the place in question. */
type Here = (keyword: string, values: readonly Sent[]) => Break;

function ofText(schema: SchemaObject, value: string, here: Here): readonly Break[] {
  if (schema.enum !== undefined || schema.const !== undefined) return [];
  const { minLength: min = 0, maxLength: max = Infinity, pattern } = schema;
  const found: Break[] = [];
  if (min > 0) found.push(here('minLength', ['']));
  if (max <= MAX_LENGTH) {
    const fill = value.at(-1) ?? 'a';
    found.push(here('maxLength', [value + fill.repeat(max + 1), 'a'.repeat(max + 1)]));
  }
  if (pattern !== undefined) {
    const expression = new RegExp(pattern, 'u');
    const start = value.slice(0, -1);
    const near = [' ', '\n', '\u0000', 'é', '*'].flatMap((c) => [start + c, c + value.slice(1)]);
    const fits = (text: string): boolean => text.length >= min && text.length <= max;
    found.push(
      here(
        'pattern',
        [...new Set(near)].filter((t) => fits(t) && !expression.test(t)),
      ),
    );
  }
  return found;
}

function ofNumber(schema: SchemaObject, here: Here): readonly Break[] {
  const { format, minimum, maximum } = schema;
  if (format === 'int64') {
    return [
      here('minimum', [-(2n ** 63n) - 1n, -(10n ** 30n)]),
      here('maximum', [2n ** 63n, 10n ** 30n]),
    ];
  }
  const step = schema.type === 'integer' ? 1 : 0.001;
  return [
    ...(minimum === undefined ? [] : [here('minimum', [minimum - 1, minimum - step, -1e9])]),
    ...(maximum === undefined ? [] : [here('maximum', [maximum + 1, maximum + step, 1e300])]),
  ];
}

function ofList(
  { items, minItems: min = 0, maxItems: max = Infinity }: SchemaObject,
  value: readonly Sent[],
  path: Path,
  put: Put,
  here: Here,
): readonly Break[] {
  const found: Break[] = [];
  if (min > 0) found.push(here('minItems', [value.slice(0, min - 1)]));
  if (items === undefined || typeof items === 'boolean') return found;
  if (max <= MAX_ITEMS) {
    const item = value[0] ?? exampleOf(items);
    found.push(here('maxItems', [Array.from({ length: max + 1 }, () => item)]));
  }
  const inside = value.slice(0, ITEMS_BROKEN).flatMap((item, n) => {
    const putItem: Put = (broken) => put(value.with(n, broken));
    return breaks(items, item, [...path, n], putItem, false);
  });
  return [...found, ...inside];
}

function ofObject(schema: SchemaObject, value: SentObject, path: Path, put: Put): readonly Break[] {
  const shape = shapesOf(schema).find((each) => hasShape(each, value));
  if (shape === undefined) throw new Error('a value without a shape');
  return [
    ...ofConditions(schema, shape, value, path, put),
    ...ofNames(schema, shape, value, path, put),
    ...Object.entries(value)
      .slice(0, 64)
      .flatMap(([name, field]) => {
        const declared = shape.fields.get(name) ?? schema.additionalProperties ?? true;
        if (typeof declared === 'boolean') return [];
        const putField: Put = (broken) => put(withField(value, name, broken));
        return breaks(declared, field, [...path, name], putField, shape.pivots.has(name));
      }),
  ];
}

/** What the object's conditions forbid, as they were decided for this value. */
function ofConditions(
  schema: SchemaObject,
  shape: Shape,
  value: SentObject,
  path: Path,
  put: Put,
): readonly Break[] {
  const known = schema.properties ?? {};
  const needed = [...shape.required].map((name) => ({
    keyword: 'required',
    path: jsonPointer(...path, name),
    isPivotal: shape.pivots.has(name),
    ways: [() => put(withoutField(value, name))],
  }));
  const refused = [...shape.fields].flatMap(([name, field]) =>
    field === false
      ? [
          {
            keyword: 'false schema',
            path: jsonPointer(...path, name),
            isPivotal: shape.pivots.has(name),
            ways: [() => put(withField(value, name, exampleOf(known[name] ?? true)))],
          },
        ]
      : [],
  );
  const choices = shape.choices.map((names) => ({
    keyword: 'oneOf',
    path: jsonPointer(...path),
    isPivotal: true,
    ways: names.map((name) => () => {
      const field = exampleOf(known[name] ?? true);
      return put(
        Object.hasOwn(value, name) ? withoutField(value, name) : withField(value, name, field),
      );
    }),
  }));
  return [...needed, ...refused, ...choices];
}

/** What the object's fields may be called, and how many there may be. */
function ofNames(
  schema: SchemaObject,
  shape: Shape,
  value: SentObject,
  path: Path,
  put: Put,
): readonly Break[] {
  const { additionalProperties: more = true, propertyNames = true, maxProperties } = schema;
  const adding = (keyword: string, name: string, field: Sent): Break => ({
    keyword,
    path: jsonPointer(...path, name),
    isPivotal: false,
    ways: [() => put(withField(value, name, field))],
  });
  if (more === false) {
    const misspelt = [...shape.fields.keys()].slice(0, 1).map((name) => `${name}s`);
    return [...UNKNOWN_FIELDS, ...misspelt]
      .filter((name) => !shape.fields.has(name))
      .map((name) => adding('additionalProperties', name, 1));
  }
  if (typeof propertyNames === 'boolean') return [];
  const field = exampleOf(more);
  const wrong = breaksOf({ ...propertyNames, type: 'string' }, 'name')
    .filter(({ keyword }) => keyword !== 'type')
    .flatMap(({ ways }) => ways.map((way) => way()))
    .filter((name) => typeof name === 'string')
    .filter((name) => name.length <= 128);
  const found = wrong.map((name) => adding('propertyNames', name, field));
  if (maxProperties === undefined) return found;
  const many = Object.fromEntries(
    Array.from({ length: maxProperties + 1 }, (_, n) => [`name${n}`, field]),
  );
  const ways = [(): Sent => put(many)];
  return [
    ...found,
    { keyword: 'maxProperties', path: jsonPointer(...path), isPivotal: false, ways },
  ];
}

function notAmong(allowed: readonly Sent[]): readonly Sent[] {
  const [first = ''] = allowed.filter((each) => typeof each === 'string');
  const near = [first.toUpperCase(), `${first} `, 'unknown', '', null, 1, [first]];
  return near.filter((each) => !allowed.includes(each));
}

function hasType({ type }: SchemaObject, value: Sent): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isSentObject(value);
  return type === typeof value;
}

function pick<T>(from: readonly T[], n: number): T {
  const found = from[n % from.length];
  if (found === undefined) throw new Error('nothing can be broken here');
  return found;
}
