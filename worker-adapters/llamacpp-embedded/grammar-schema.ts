/**
 * node-llama-cpp turns a part of JSON Schema into a grammar and passes over the rest in silence: a
 * keyword it does not know binds nothing, a schema it does not know becomes `null`. So every schema is
 * rewritten here in the words it does know, and refused where there are none.
 */
import { invalid } from './body-fields.ts';

type Schema = Readonly<Record<string, unknown>>;

/** What each type may be bound by. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  object: ['properties', 'additionalProperties', 'required', 'minProperties', 'maxProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength', 'format'],
  number: [],
  integer: [],
  boolean: [],
  null: [],
};
const TYPES = Object.keys(KEYWORDS);
/** A schema with one of these is that and nothing beside it, but for a type. */
const WHOLE = ['$ref', 'oneOf', 'anyOf', 'const', 'enum'] as const;
/** Binds nothing by the standard's own word. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  ...['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples', 'deprecated'],
  ...['readOnly', 'writeOnly'],
]);
const FORMATS: readonly unknown[] = ['date', 'time', 'date-time'];
const ANYTHING = {
  oneOf: [
    { type: ['string', 'number', 'boolean', 'null'] },
    { type: 'object', additionalProperties: true },
    { type: 'array' },
  ],
};

/**
 * The same schema, or a narrower one, as node-llama-cpp can follow it.
 * @throws HttpFault `invalid_request_error` that names the first keyword it cannot follow
 */
export function toGrammarSchema(root: object): object {
  const { $defs = {}, ...rest } = root as Schema;
  const definitions = mapValues($defs, '$defs');
  checkReferences(root, new Set(Object.keys(definitions).map((name) => `#/$defs/${name}`)));
  const body = rewriteSchema(rest);
  return Object.keys(definitions).length === 0 ? body : { ...body, $defs: definitions };
}

function checkReferences(root: object, known: ReadonlySet<unknown>): void {
  JSON.stringify(root, (key, value: unknown) => {
    if (key === '$ref' && !isObject(value) && !known.has(value)) throw unsupported('$ref');
    return value;
  });
}

function rewriteSchema(value: unknown): object {
  return value === true ? ANYTHING : rewrite(asSchema(value, 'a schema'));
}

function rewrite(given: Schema): object {
  const entries = Object.entries(given).filter(([name]) => !ANNOTATIONS.has(name));
  const schema: Schema = Object.fromEntries(entries);
  const names = entries.map(([name]) => name);
  const whole = WHOLE.find((name) => names.includes(name));
  if (whole !== undefined) {
    const beside = names.find((name) => name !== whole && name !== 'type');
    if (beside !== undefined) throw unsupported(beside);
    return rewriteWhole(schema, whole);
  }
  if (names.length === 0) return ANYTHING;
  const types = typesOf(schema);
  const known = types.flatMap((type) => KEYWORDS[type] ?? []);
  const unknown = names.find((name) => name !== 'type' && !known.includes(name));
  if (unknown !== undefined) throw unsupported(unknown);
  const rewritten = types.map((type) => rewriteType(schema, type));
  return rewritten.length === 1 && rewritten[0] !== undefined ? rewritten[0] : { oneOf: rewritten };
}

function rewriteWhole(schema: Schema, name: (typeof WHOLE)[number]): object {
  const value = schema[name];
  if (name === '$ref') {
    if (typeof value !== 'string' || schema['type'] !== undefined) throw unsupported(name);
    return { $ref: value };
  }
  if (name === 'oneOf' || name === 'anyOf') {
    if (schema['type'] !== undefined) throw unsupported('type');
    return { oneOf: asList(value, name).map(rewriteSchema) };
  }
  const types = schema['type'] === undefined ? TYPES : typesOf(schema);
  const literals = name === 'const' ? [value] : asList(value, name);
  const fitting = literals.filter((literal) => types.some((type) => isOfType(literal, type)));
  if (fitting.length === 0 || fitting.some(isObject)) throw unsupported(name);
  return { enum: fitting };
}

/** The types named, else the one that the other keywords bind. */
function typesOf(schema: Schema): readonly string[] {
  const { type, ...rest } = schema;
  const names = Object.keys(rest);
  const isBoundBy = (each: string) => names.every((name) => KEYWORDS[each]?.includes(name));
  const given = type ?? TYPES.find(isBoundBy);
  if (given === undefined) throw unsupported(names[0] ?? 'type');
  const types = (Array.isArray(given) ? given : [given]) as unknown[];
  if (types.length === 0 || !types.every((each) => TYPES.includes(each as string))) {
    throw unsupported('type');
  }
  return types as string[];
}

function rewriteType(schema: Schema, type: string): object {
  if (type === 'object') return rewriteObject(schema);
  if (type === 'array') return rewriteArray(schema);
  if (type === 'string') return rewriteString(schema);
  return { type };
}

/** node-llama-cpp writes every property named, and others only where `additionalProperties` is given. */
function rewriteObject(schema: Schema): object {
  const properties = mapValues(schema['properties'] ?? {}, 'properties');
  const count = Object.keys(properties).length;
  const bounds = boundsOf(schema, 'minProperties', 'maxProperties');
  const { min, max } = bounds;
  const others = schema['additionalProperties'] ?? (count === 0 || min > count);
  const required = asList(schema['required'] ?? [], 'required');
  if (required.some((name) => !Object.hasOwn(properties, name as string))) {
    throw unsupported('required');
  }
  if (max < count) throw unsupported('maxProperties');
  if (others === false && min > count) throw unsupported('minProperties');
  const additionalProperties = typeof others === 'boolean' ? others : rewriteSchema(others);
  return { type: 'object', properties, additionalProperties, ...bounds.given };
}

function rewriteArray(schema: Schema): object {
  const { items, prefixItems } = schema;
  const first = asList(prefixItems ?? [], 'prefixItems').map(rewriteSchema);
  const bounds = boundsOf(schema, 'minItems', 'maxItems');
  if (bounds.max < first.length) throw unsupported('maxItems');
  return {
    type: 'array',
    ...(items === undefined || items === true ? {} : { items: rewriteSchema(items) }),
    ...(first.length === 0 ? {} : { prefixItems: first }),
    ...bounds.given,
  };
}

/** A format node-llama-cpp does not know is an annotation, as the standard has it. */
function rewriteString(schema: Schema): object {
  const bounds = boundsOf(schema, 'minLength', 'maxLength');
  if (!FORMATS.includes(schema['format'])) return { type: 'string', ...bounds.given };
  if (Object.keys(bounds.given).length > 0) throw unsupported('format');
  return { type: 'string', format: schema['format'] };
}

function boundsOf(schema: Schema, minName: string, maxName: string) {
  const min = schema[minName] ?? 0;
  const max = schema[maxName] ?? Infinity;
  if (typeof min !== 'number' || !Number.isInteger(min) || min < 0) throw unsupported(minName);
  if (typeof max !== 'number' || !(max >= min)) throw unsupported(maxName);
  const given = {
    ...(min > 0 ? { [minName]: min } : {}),
    ...(max < Infinity ? { [maxName]: Math.floor(max) } : {}),
  };
  return { min, max, given };
}

function isOfType(literal: unknown, type: string): boolean {
  if (literal === null) return type === 'null';
  if (Array.isArray(literal)) return type === 'array';
  if (type === 'integer') return Number.isInteger(literal);
  return typeof literal === type;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function asSchema(value: unknown, name: string): Schema {
  if (!isObject(value) || Array.isArray(value)) throw unsupported(name);
  return value as Schema;
}

function asList(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw unsupported(name);
  return value;
}

function mapValues(value: unknown, name: string): Readonly<Record<string, object>> {
  const entries = Object.entries(asSchema(value, name));
  return Object.fromEntries(entries.map(([key, each]) => [key, rewriteSchema(each)]));
}

const MAX_NAME_CHARS = 40;

function unsupported(name: string) {
  const known = name.slice(0, MAX_NAME_CHARS);
  return invalid(`Field 'json_schema': this engine cannot follow '${known}' as it is used`);
}
