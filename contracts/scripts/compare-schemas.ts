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
  const breaking = (what: string, at = place): Change => ({ kind: 'breaking', place: at, what });
  const compatible = (what: string, at = place): Change => ({
    kind: 'compatible',
    place: at,
    what,
  });
  if (!isObject(old) || !isObject(now)) {
    if (isEqual(old, now)) return [];
    // From nothing allowed to something, or from a rule to none, or back.
    const widens = old === false || now === undefined || now === true;
    return [
      widens === (direction === 'sent') ? compatible('allows more') : breaking('allows less'),
    ];
  }
  const inside = (key: string, to = place): readonly Change[] =>
    compareSchemas(old[key], now[key], direction, `${to}.${key}`, sides);
  const changes: Change[] = [];

  // Of an open object, as in a condition, any field may be there: naming one says less is allowed.
  const isClosed = old['additionalProperties'] === false || direction === 'read';
  const [fields, nowFields] = [fieldsOf(old), fieldsOf(now)];
  for (const [name, field] of Object.entries(fields)) {
    const at = `${place}/${name}`;
    if (name in nowFields) {
      changes.push(...compareSchemas(field, nowFields[name], direction, at, sides));
    } else changes.push(isClosed ? breaking('is gone', at) : compatible('may be anything', at));
  }
  for (const name of Object.keys(nowFields)) {
    if (name in fields) continue;
    const at = `${place}/${name}`;
    changes.push(isClosed ? compatible('is new', at) : breaking('may not be anything', at));
  }
  const [required, nowRequired] = [listOf(old['required']), listOf(now['required'])];
  const [stricter, laxer] =
    direction === 'sent' ? [nowRequired, required] : [required, nowRequired];
  for (const name of stricter) {
    if (laxer.includes(name)) continue;
    const what = direction === 'sent' ? 'is required' : 'is not always there any more';
    changes.push(breaking(what, `${place}/${String(name)}`));
  }
  changes.push(...comparedValues(old, now, direction, place));
  for (const [keywords, sign] of [
    [LOWER_BOUNDS, -1],
    [UPPER_BOUNDS, 1],
  ] as const) {
    for (const keyword of keywords) {
      const [from, to] = [old[keyword] ?? sign * Infinity, now[keyword] ?? sign * Infinity];
      if (from === to) continue;
      const widens = (Number(to) - Number(from)) * sign > 0;
      const what = `${keyword} was ${String(from)} and is ${String(to)}`;
      changes.push(widens === (direction === 'sent') ? compatible(what) : breaking(what));
    }
  }
  for (const keyword of SCHEMAS) changes.push(...inside(keyword));
  for (const keyword of LISTS) {
    const [list, nowList] = [listOf(old[keyword]), listOf(now[keyword])];
    if (list.length !== nowList.length) {
      changes.push(
        breaking(`${keyword} has ${nowList.length} alternatives instead of ${list.length}`),
      );
      continue;
    }
    for (const [n, each] of list.entries()) {
      changes.push(
        ...compareSchemas(each, nowList[n], direction, `${place}.${keyword}[${n}]`, sides),
      );
    }
  }
  for (const keyword of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (JUDGED.has(keyword) || SILENT.has(keyword) || keyword.startsWith('x-')) continue;
    if (!isEqual(old[keyword], now[keyword])) {
      changes.push(breaking(`${keyword} was ${text(old[keyword])} and is ${text(now[keyword])}`));
    }
  }
  return changes;
}

/** Lists of values may grow in answers as well: clients are told to expect that (contracts/README.md). */
function comparedValues(
  old: JsonObject,
  now: JsonObject,
  direction: Direction,
  place: string,
): readonly Change[] {
  const [values, nowValues] = [old['enum'], now['enum']];
  if (isEqual(values, nowValues)) return [];
  if (values === undefined || nowValues === undefined) {
    const widens = nowValues === undefined;
    const what = widens ? 'any value is allowed' : 'only listed values are allowed';
    return [{ kind: widens === (direction === 'sent') ? 'compatible' : 'breaking', place, what }];
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

function text(node: Node): string {
  return node === undefined ? 'not given' : JSON.stringify(node).slice(0, 80);
}
