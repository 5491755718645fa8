/**
 * The ways in which an object can satisfy a schema with conditions. Each `oneOf`, `if` and
 * `dependentSchemas` is decided one way or the other, so that what is left is a plain list of fields;
 * together the shapes are the schema.
 */
import type { Json } from '../scripts/contract-document.ts';
import type { Schema, SchemaObject } from './inline-schema.ts';

export interface Shape {
  /** Fields that may be there. False: the schema refuses it in this shape. */
  readonly fields: ReadonlyMap<string, Schema>;
  /** Fields whose absence is reported as theirs. */
  readonly required: ReadonlySet<string>;
  /** Fields that are there because of how a condition was decided. */
  readonly chosen: ReadonlySet<string>;
  /** Fields that are not there for the same reason. */
  readonly absent: ReadonlySet<string>;
  /** Fields of which exactly one must be there. */
  readonly choices: readonly (readonly string[])[];
  /** Fields on which a condition looks: a fault in one of them may break others. */
  readonly pivots: ReadonlySet<string>;
}

const EMPTY: Shape = {
  fields: new Map(),
  required: new Set(),
  chosen: new Set(),
  absent: new Set(),
  choices: [],
  pivots: new Set(),
};

const known = new WeakMap<SchemaObject, readonly Shape[]>();

/** @throws Error for conditions of a kind that no request has */
export function shapesOf(schema: SchemaObject): readonly Shape[] {
  const shapes = known.get(schema) ?? decided(schema);
  known.set(schema, shapes);
  return shapes;
}

function decided(schema: SchemaObject): readonly Shape[] {
  const { properties = {}, required = [], oneOf, dependentSchemas = {} } = schema;
  let shapes: readonly Shape[] = [
    { ...EMPTY, fields: new Map(Object.entries(properties)), required: new Set(required) },
  ];
  if (oneOf !== undefined) shapes = both(shapes, choicesOf(oneOf));
  if (schema.if !== undefined) {
    const condition = objectOf(schema.if);
    const holds = both(both(shapes, [holding(condition)]), partsOf(schema.then));
    const fails = both(both(shapes, failing(condition)), partsOf(schema.else));
    shapes = [...holds, ...fails];
  }
  for (const [name, dependent] of Object.entries(dependentSchemas)) {
    const pivots = new Set([name]);
    const present = both([{ ...EMPTY, chosen: new Set([name]), pivots }], partsOf(dependent));
    shapes = both(shapes, [{ ...EMPTY, absent: new Set([name]), pivots }, ...present]);
  }
  return shapes;
}

/** Whether the object was made in this shape, or could have been. */
export function hasShape(shape: Shape, value: Readonly<Record<string, unknown>>): boolean {
  const has = (name: string): boolean => Object.hasOwn(value, name);
  return (
    [...shape.required, ...shape.chosen].every(has) &&
    ![...shape.absent].some(has) &&
    [...shape.fields].every(([name, field]) => !has(name) || allows(field, value[name]))
  );
}

function allows(field: Schema, value: unknown): boolean {
  if (typeof field === 'boolean') return field;
  return field.enum === undefined || field.enum.includes(value as Json);
}

/** Every shape of the one with every shape of the other, as far as they agree. */
function both(one: readonly Shape[], other: readonly Shape[]): readonly Shape[] {
  return one.flatMap((a) => other.flatMap((b) => merged(a, b) ?? []));
}

function merged(a: Shape, b: Shape): Shape | undefined {
  const fields = new Map(a.fields);
  for (const [name, field] of b.fields) fields.set(name, narrowed(fields.get(name), field));
  const shape: Shape = {
    fields,
    required: a.required.union(b.required),
    chosen: a.chosen.union(b.chosen),
    absent: a.absent.union(b.absent),
    choices: [...a.choices, ...b.choices],
    pivots: a.pivots.union(b.pivots),
  };
  const present = [...shape.required, ...shape.chosen];
  const isPossible = present.every((name) => {
    const field = fields.get(name) ?? true;
    const hasValue = typeof field === 'boolean' ? field : field.enum?.length !== 0;
    return hasValue && !shape.absent.has(name);
  });
  return isPossible ? shape : undefined;
}

/** @throws Error when two schemas of a field say more than lists of values */
function narrowed(a: Schema | undefined, b: Schema): Schema {
  if (a === undefined || a === true) return b;
  if (a === false || b === false) return false;
  if (b === true) return a;
  if (a.enum === undefined) {
    throw new Error(`cannot tell what satisfies ${JSON.stringify(a)} and ${JSON.stringify(b)}`);
  }
  const { except } = b;
  const isLeft = except
    ? (value: Json): boolean => !except.includes(value)
    : (value: Json): boolean => valuesOf(b).includes(value);
  return { ...a, enum: a.enum.filter(isLeft) };
}

/** @throws Error when the schema says something else than which values there are */
function valuesOf({ const: only, enum: some, ...more }: SchemaObject): readonly Json[] {
  const values = some ?? (only === undefined ? undefined : [only]);
  if (values !== undefined && Object.keys(more).length === 0) return values;
  throw new Error('a condition on something else than a list of values');
}

function choicesOf(oneOf: readonly Schema[]): readonly Shape[] {
  const names = oneOf.map((alternative) => {
    const { required = [], ...more } = objectOf(alternative);
    const [name] = required;
    if (name === undefined || required.length > 1 || Object.keys(more).length > 0) {
      throw new Error(`oneOf of something else than single fields: ${JSON.stringify(oneOf)}`);
    }
    return name;
  });
  return names.map((name) => ({
    ...EMPTY,
    chosen: new Set([name]),
    absent: new Set(names.filter((other) => other !== name)),
    choices: [names],
    pivots: new Set(names),
  }));
}

function holding({ required = [], properties = {} }: SchemaObject): Shape {
  const pivots = new Set([...required, ...Object.keys(properties)]);
  return {
    ...EMPTY,
    chosen: new Set(required),
    fields: new Map(Object.entries(properties)),
    pivots,
  };
}

/** A condition fails when a field that it requires is not there, or one has another value. */
function failing({ required = [], properties = {} }: SchemaObject): readonly Shape[] {
  const pivots = new Set([...required, ...Object.keys(properties)]);
  const without = required.map((name) => ({ ...EMPTY, absent: new Set([name]), pivots }));
  const otherwise = Object.entries(properties).map(([name, field]) => ({
    ...EMPTY,
    chosen: new Set([name]),
    fields: new Map([[name, { except: valuesOf(objectOf(field)) }]]),
    pivots,
  }));
  return [...without, ...otherwise];
}

function partsOf(schema: Schema | undefined): readonly Shape[] {
  return schema === undefined ? [EMPTY] : shapesOf(objectOf(schema));
}

function objectOf(schema: Schema): SchemaObject {
  if (typeof schema === 'boolean')
    throw new Error('a condition that is always decided the same way');
  return schema;
}
