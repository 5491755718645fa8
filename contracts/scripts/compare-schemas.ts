/**
 * What a change of a schema means for those who were written against the old one. Whoever sends must be
 * able to send what they sent before; whoever reads must be given nothing that they could not have been.
 * A keyword whose change cannot be judged counts as breaking.
 */
import type { Json, JsonObject } from './contract-document.ts';

/** `sent`: clients write it. `read`: clients read it. */
export type Direction = 'sent' | 'read';

export interface Change {
  readonly kind: 'breaking' | 'compatible';
  /** Where, for people: an operation, and the way from there. */
  readonly place: string;
  readonly what: string;
}

export type Node = Json | undefined;
/** What stands at a reference, written in the old or the new contracts. */
export type Follow = (schema: Node) => Node;

export interface Sides {
  readonly before: Follow;
  readonly after: Follow;
}

/** The less, the more may pass; and the other way round. */
const LOWER_BOUNDS = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const UPPER_BOUNDS = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];
const SCHEMAS = ['items', 'additionalProperties', 'propertyNames', 'not', 'if', 'then', 'else'];
const LISTS = ['allOf', 'oneOf', 'anyOf', 'prefixItems'];
const JUDGED = new Set([
  ...[...LOWER_BOUNDS, ...UPPER_BOUNDS, ...SCHEMAS, ...LISTS],
  ...['properties', 'required', 'enum'],
]);
/** They change nothing of what is valid. */
const SILENT = new Set(['description', 'title', 'example', 'examples', 'deprecated', '$comment']);

export function compareSchemas(
  before: Node,
  after: Node,
  direction: Direction,
  place: string,
  sides: Sides,
): readonly Change[] {
  const [old, now] = [sides.before(before), sides.after(after)];
  if (isEqual(old, now) && !refersOn(old)) return [];
  if (isObject(old) && isObject(now)) {
    const pair: Pair = { old, now, direction, place, sides };
    return [
      ...comparedFields(pair),
      ...comparedRequired(pair),
      ...comparedValues(pair),
      ...comparedBounds(pair),
      ...comparedParts(pair),
      ...comparedRest(pair),
    ];
  }
  if (isEqual(old, now)) return [];
  // From nothing allowed to something, or from a rule to none, or back.
  const widens = old === false || now === undefined || now === true;
  return [judged(widens, direction, place, widens ? 'allows more' : 'allows less')];
}

interface Pair {
  readonly old: JsonObject;
  readonly now: JsonObject;
  readonly direction: Direction;
  readonly place: string;
  readonly sides: Sides;
}

/** More may be sent, and less may come. */
function judged(widens: boolean, direction: Direction, place: string, what: string): Change {
  return { kind: widens === (direction === 'sent') ? 'compatible' : 'breaking', place, what };
}

function comparedFields({ old, now, direction, place, sides }: Pair): readonly Change[] {
  // Of an open object, as in a condition, any field may be there: naming one says less is allowed.
  const isClosed = old['additionalProperties'] === false || direction === 'read';
  const [fields, nowFields] = [fieldsOf(old), fieldsOf(now)];
  const changes: Change[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const at = `${place}/${name}`;
    if (name in nowFields) {
      changes.push(...compareSchemas(field, nowFields[name], direction, at, sides));
    } else if (isClosed) changes.push({ kind: 'breaking', place: at, what: 'is gone' });
    else changes.push({ kind: 'compatible', place: at, what: 'may be anything' });
  }
  for (const name of Object.keys(nowFields)) {
    if (name in fields) continue;
    const at = `${place}/${name}`;
    if (isClosed) changes.push({ kind: 'compatible', place: at, what: 'is new' });
    else changes.push({ kind: 'breaking', place: at, what: 'may not be anything' });
  }
  return changes;
}

function comparedRequired({ old, now, direction, place }: Pair): readonly Change[] {
  const [before, after] = [namesOf(old['required']), namesOf(now['required'])];
  const [asked, what] =
    direction === 'sent'
      ? [after.filter((name) => !before.includes(name)), 'is required']
      : [before.filter((name) => !after.includes(name)), 'is not always there any more'];
  return asked.map((name) => ({ kind: 'breaking', place: `${place}/${name}`, what }));
}

function comparedBounds({ old, now, direction, place }: Pair): readonly Change[] {
  return [
    ...LOWER_BOUNDS.map((keyword) => [keyword, -1] as const),
    ...UPPER_BOUNDS.map((keyword) => [keyword, 1] as const),
  ].flatMap(([keyword, sign]): readonly Change[] => {
    const [from, to] = [old, now].map((schema) => Number(schema[keyword] ?? sign * Infinity));
    if (from === undefined || to === undefined || from === to) return [];
    return [
      judged((to - from) * sign > 0, direction, place, `${keyword} was ${from} and is ${to}`),
    ];
  });
}

/** Schemas inside, one by one. */
function comparedParts({ old, now, direction, place, sides }: Pair): readonly Change[] {
  const single = SCHEMAS.flatMap((keyword) =>
    compareSchemas(old[keyword], now[keyword], direction, `${place}.${keyword}`, sides),
  );
  const lists = LISTS.flatMap((keyword): readonly Change[] => {
    const [list, nowList] = [listOf(old[keyword]), listOf(now[keyword])];
    if (list.length !== nowList.length) {
      const what = `${keyword} has ${nowList.length} alternatives instead of ${list.length}`;
      return [{ kind: 'breaking', place, what }];
    }
    return list.flatMap((each, n) =>
      compareSchemas(each, nowList[n], direction, `${place}.${keyword}[${n}]`, sides),
    );
  });
  return [...single, ...lists];
}

/** Types, patterns, and whatever else there is: no change of it is known to be harmless. */
function comparedRest({ old, now, place }: Pair): readonly Change[] {
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((key) => !JUDGED.has(key) && !SILENT.has(key) && !key.startsWith('x-'))
    .filter((key) => !isEqual(old[key], now[key]))
    .map((key) => ({
      kind: 'breaking',
      place,
      what: `${key} was ${text(old[key])} and is ${text(now[key])}`,
    }));
}

/** Lists of values may grow in answers as well: clients are told to expect that (contracts/README.md). */
function comparedValues({ old, now, direction, place }: Pair): readonly Change[] {
  const [values, nowValues] = [old['enum'], now['enum']];
  if (isEqual(values, nowValues)) return [];
  if (values === undefined || nowValues === undefined) {
    const what =
      nowValues === undefined ? 'any value is allowed' : 'only listed values are allowed';
    return [judged(nowValues === undefined, direction, place, what)];
  }
  const [list, nowList] = [listOf(values), listOf(nowValues)];
  const gone = list.filter((value) => !nowList.includes(value));
  const fresh = nowList.filter((value) => !list.includes(value));
  return [
    ...gone.map((value): Change => ({ kind: 'breaking', place, what: `${text(value)} is gone` })),
    ...fresh.map((value): Change => ({ kind: 'compatible', place, what: `${text(value)} is new` })),
  ];
}

export function isObject(node: Node): node is JsonObject {
  return typeof node === 'object' && node !== null && !Array.isArray(node);
}

function isEqual(a: Node, b: Node): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Equal texts with references in them may stand for different things. */
function refersOn(node: Node): boolean {
  return JSON.stringify(node)?.includes('"$ref"') ?? false;
}

function fieldsOf(schema: JsonObject): JsonObject {
  const { properties } = schema;
  return isObject(properties) ? properties : {};
}

function listOf(node: Node): readonly Json[] {
  return Array.isArray(node) ? (node as readonly Json[]) : [];
}

function namesOf(node: Node): readonly string[] {
  return listOf(node).filter((name) => typeof name === 'string');
}

function text(node: Node): string {
  return node === undefined ? 'not given' : JSON.stringify(node).slice(0, 80);
}
