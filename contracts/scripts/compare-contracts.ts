/**
 * What changed between two states of the contracts, for those who were written against the first:
 * operations, parameters, bodies, statuses, headers and events, and the schemas of all of them.
 */
import {
  compareSchemas,
  isObject,
  type Change,
  type Direction,
  type Node,
  type Sides,
} from './compare-schemas.ts';
import {
  object,
  placesIn,
  referredFrom,
  string,
  type Contract,
  type Json,
  type JsonObject,
} from './contract-document.ts';

export type { Change } from './compare-schemas.ts';

/** @throws Error for contracts that are not whole: a reference that leads nowhere */
export function compareContracts(
  before: readonly Contract[],
  after: readonly Contract[],
): readonly Change[] {
  const sides: Sides = { before: following(before), after: following(after) };
  const [old, now] = [operationsIn(before, sides.before), operationsIn(after, sides.after)];
  const changes: Change[] = [];
  for (const [call, operation] of old) {
    const successor = now.get(call);
    if (successor === undefined) changes.push({ kind: 'breaking', place: call, what: 'is gone' });
    else changes.push(...comparedOperation(call, operation, successor, sides));
  }
  for (const call of now.keys()) {
    if (!old.has(call)) changes.push({ kind: 'compatible', place: call, what: 'is new' });
  }
  return changes;
}

/** Follows references, which lead from one file to another. */
function following(contracts: readonly Contract[]): Sides['before'] {
  const { at } = placesIn(
    contracts.map((each) => ({ ...each, document: object(absolute(each.document, each.file)) })),
  );
  const follow = (node: Node): Node => {
    if (!isObject(node) || typeof node['$ref'] !== 'string') return node;
    const { $ref: ref, ...beside } = node;
    return { ...object(follow(at(ref))), ...beside };
  };
  return follow;
}

/** Every reference with the file that it leads to, so that it reads the same from everywhere. */
function absolute(node: Json, file: string): Json {
  if (Array.isArray(node)) return (node as readonly Json[]).map((each) => absolute(each, file));
  if (!isObject(node)) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string'
        ? referredFrom(`${file}#`, value)
        : absolute(value, file),
    ]),
  );
}

interface DescribedOperation {
  readonly operation: JsonObject;
  /** By place and name, as `query limit`. */
  readonly parameters: ReadonlyMap<string, JsonObject>;
}

function operationsIn(
  contracts: readonly Contract[],
  follow: Sides['before'],
): ReadonlyMap<string, DescribedOperation> {
  const operations = new Map<string, DescribedOperation>();
  for (const { document, file } of contracts) {
    const paths = object(absolute(object(document['paths']), file));
    for (const [path, item] of Object.entries(paths)) {
      const { parameters: shared = [], ...methods } = object(item);
      for (const [method, each] of Object.entries(methods)) {
        const operation = object(each);
        const all = [
          ...(shared as readonly Json[]),
          ...((operation['parameters'] ?? []) as Json[]),
        ];
        const parameters = all.map((parameter) => object(follow(parameter)));
        operations.set(`${method.toUpperCase()} ${path}`, {
          operation,
          parameters: new Map(
            parameters.map((p) => [`${string(p['in'])} ${string(p['name'])}`, p]),
          ),
        });
      }
    }
  }
  return operations;
}

function comparedOperation(
  call: string,
  before: DescribedOperation,
  after: DescribedOperation,
  sides: Sides,
): readonly Change[] {
  const changes: Change[] = [];
  for (const key of ['operationId', 'x-scope', 'security']) {
    const [from, to] = [before.operation[key], after.operation[key]].map((v) => JSON.stringify(v));
    if (from === to) continue;
    const what = `${key} was ${from ?? 'not given'} and is ${to ?? 'not given'}`;
    changes.push({ kind: 'breaking', place: call, what });
  }
  for (const [name, now] of after.parameters) {
    const place = `${call} ${name}`;
    const old = before.parameters.get(name);
    const isRequired = now['required'] === true && old?.['required'] !== true;
    if (isRequired) changes.push({ kind: 'breaking', place, what: 'is required' });
    if (old !== undefined) {
      changes.push(...compareSchemas(old['schema'], now['schema'], 'sent', place, sides));
    } else if (!isRequired) changes.push({ kind: 'compatible', place, what: 'is new' });
  }
  changes.push(...gone(call, [...before.parameters.keys()], [...after.parameters.keys()]));
  const [body, nowBody] = [
    sides.before(before.operation['requestBody']),
    sides.after(after.operation['requestBody']),
  ];
  if (isObject(nowBody) && nowBody['required'] === true && !(isObject(body) && body['required'])) {
    changes.push({ kind: 'breaking', place: `${call} body`, what: 'is required' });
  }
  changes.push(...comparedContent(body, nowBody, 'sent', `${call} body`, sides));
  changes.push(...comparedResponses(call, before.operation, after.operation, sides));
  return changes;
}

function comparedResponses(
  call: string,
  before: JsonObject,
  after: JsonObject,
  sides: Sides,
): readonly Change[] {
  const [old, now] = [object(before['responses']), object(after['responses'])];
  const changes: Change[] = [...listed(call, Object.keys(old), Object.keys(now))];
  for (const [status, response] of Object.entries(old)) {
    if (!(status in now)) continue;
    const place = `${call} ${status}`;
    const [from, to] = [object(sides.before(response)), object(sides.after(now[status]))];
    changes.push(...comparedContent(from, to, 'read', place, sides));
    const [headers, nowHeaders] = [object(from['headers'] ?? {}), object(to['headers'] ?? {})];
    changes.push(...listed(place, Object.keys(headers), Object.keys(nowHeaders)));
    for (const [name, header] of Object.entries(headers)) {
      if (!(name in nowHeaders)) continue;
      const [one, other] = [object(sides.before(header)), object(sides.after(nowHeaders[name]))];
      if (one['required'] === true && other['required'] !== true) {
        changes.push({ kind: 'breaking', place: `${place} ${name}`, what: 'may be absent' });
      }
      changes.push(
        ...compareSchemas(one['schema'], other['schema'], 'read', `${place} ${name}`, sides),
      );
    }
  }
  return changes;
}

function comparedContent(
  before: Node,
  after: Node,
  direction: Direction,
  place: string,
  sides: Sides,
): readonly Change[] {
  const contentOf = (node: Node): JsonObject =>
    isObject(node) ? object(node['content'] ?? {}) : {};
  const [old, now] = [contentOf(before), contentOf(after)];
  const changes: Change[] = [...listed(place, Object.keys(old), Object.keys(now))];
  for (const [type, media] of Object.entries(old)) {
    const [schema, nowSchema] = [object(media)['schema'], object(now[type] ?? {})['schema']];
    if (!(type in now)) continue;
    changes.push(
      ...compareSchemas(schema, nowSchema, direction, place, sides),
      ...comparedEvents(schema, nowSchema, place, sides),
    );
  }
  return changes;
}

/** The events of a stream are named beside its schema, which says only that it is text. */
function comparedEvents(before: Node, after: Node, place: string, sides: Sides): readonly Change[] {
  const eventsOf = (node: Node): JsonObject =>
    isObject(node) ? object(node['x-sse-events'] ?? {}) : {};
  const [old, now] = [eventsOf(sides.before(before)), eventsOf(sides.after(after))];
  const reference = (name: Node): Json => ({
    $ref: `data.yaml#/components/schemas/${string(name)}`,
  });
  return [
    ...listed(`${place} event`, Object.keys(old), Object.keys(now)),
    ...Object.entries(old).flatMap(([event, name]) =>
      event in now
        ? compareSchemas(reference(name), reference(now[event]), 'read', `${place} ${event}`, sides)
        : [],
    ),
  ];
}

/** What is named is there for good; more may come. */
function listed(
  place: string,
  before: readonly string[],
  after: readonly string[],
): readonly Change[] {
  return [
    ...gone(place, before, after),
    ...after
      .filter((name) => !before.includes(name))
      .map((name): Change => ({ kind: 'compatible', place: `${place} ${name}`, what: 'is new' })),
  ];
}

function gone(
  place: string,
  before: readonly string[],
  after: readonly string[],
): readonly Change[] {
  return before
    .filter((name) => !after.includes(name))
    .map((name) => ({ kind: 'breaking', place: `${place} ${name}`, what: 'is gone' }));
}
