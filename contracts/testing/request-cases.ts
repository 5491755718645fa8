/**
 * Requests made from the contract alone: for each operation arbitraries of valid ones and of near misses,
 * where one keyword of one parameter, header or body is broken at a place that is known.
 */
import fc from 'fast-check';
import type { OperationId } from '../generated/operations.ts';
import {
  operationsOf,
  type Contract,
  type Operation,
  type Parameter,
} from '../scripts/contract-document.ts';
import { faultyValues } from './faulty-values.ts';
import { inlineSchema, type SchemaObject } from './inline-schema.ts';
import type { Sent } from './sent-value.ts';
import { validValues } from './valid-values.ts';

export interface RequestCase {
  readonly operationId: OperationId;
  /** By the names of the contract, in the order of the path. */
  readonly path: Readonly<Record<string, string>>;
  /** In the order of sending; a name may come twice. */
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Sent;
  /** What is wrong with it; absent from a valid request. */
  readonly fault?: RequestFault;
}

export interface RequestFault {
  readonly in: 'path' | 'query' | 'header' | 'body';
  readonly keyword: string;
  /** As `details` must name it: a JSON pointer into the body, or the name of the parameter. */
  readonly path: string;
  /** Other places may be at fault with it. */
  readonly isPivotal: boolean;
}

/** Values to be used beside any that the schema allows, such as ids of what exists. */
export type KnownValues = (
  operationId: OperationId,
  parameter: string,
) => fc.Arbitrary<string> | undefined;

export interface RequestArbitraries {
  readonly operationId: OperationId;
  readonly valid: fc.Arbitrary<RequestCase>;
  /** Absent where nothing can be wrong: an operation without parameters and body. */
  readonly faulty?: fc.Arbitrary<RequestCase>;
}

/** For each operation of the contracts. @throws Error for a schema that cannot be generated from */
export function requestsOf(
  contracts: readonly Contract[],
  known: KnownValues = () => undefined,
): readonly RequestArbitraries[] {
  return operationsOf(contracts).map((operation) => arbitraries(contracts, operation, known));
}

function arbitraries(
  contracts: readonly Contract[],
  operation: Operation,
  known: KnownValues,
): RequestArbitraries {
  const operationId = operation.operationId as OperationId;
  const parameters = operation.parameters.map((parameter): Described => {
    const schema = inlineSchema(contracts, parameter.schemaRef);
    const any = validTexts(parameter, schema);
    const some = known(operationId, parameter.name) ?? any;
    return { ...parameter, schema, values: fc.oneof(some, any), known: some };
  });
  const body = operation.bodyRef ? inlineSchema(contracts, operation.bodyRef) : undefined;
  const valid = validRequests(operationId, parameters, body);
  // What is asked of something that does not exist may be refused for that alone.
  const ofKnown = parameters.map((parameter) => ({ ...parameter, values: parameter.known }));
  const ways = [
    ...parameters.flatMap((parameter) => faultyParameters(parameter)),
    ...(parameters.some((p) => p.in === 'query') ? [unknownParameters()] : []),
    ...(body === undefined ? [] : [faultyBodies(body)]),
  ];
  if (ways.length === 0) return { operationId, valid };
  // A body has many more places than a parameter.
  const weighted = ways.map((arbitrary, n) => ({
    weight: body !== undefined && n === ways.length - 1 ? 6 : 1,
    arbitrary,
  }));
  const faulty = fc
    .tuple(validRequests(operationId, ofKnown, body), fc.oneof(...weighted))
    .map(([request, spoil]): RequestCase => spoil(request));
  return { operationId, valid, faulty };
}

interface Described extends Omit<Parameter, 'schema'> {
  readonly schema: SchemaObject;
  readonly values: fc.Arbitrary<string>;
  readonly known: fc.Arbitrary<string>;
}
type Spoil = (request: RequestCase) => RequestCase;

function validRequests(
  operationId: OperationId,
  parameters: readonly Described[],
  body: SchemaObject | undefined,
): fc.Arbitrary<RequestCase> {
  const group = (where: Parameter['in']): fc.Arbitrary<Readonly<Record<string, string>>> => {
    const mine = parameters.filter((p) => p.in === where);
    const values = Object.fromEntries(mine.map((p) => [p.name, p.values]));
    return fc.record(values, {
      requiredKeys: mine.filter((p) => p.required).map((p) => p.name),
      noNullPrototype: true,
    });
  };
  const parts = fc.record({
    path: group('path'),
    query: group('query').map((query) => Object.entries(query)),
    headers: group('header'),
  });
  if (body === undefined) return parts.map((each) => ({ operationId, ...each }));
  return fc
    .tuple(parts, validValues(body))
    .map(([each, value]) => ({ operationId, ...each, body: value }));
}

function validTexts({ in: where }: Parameter, schema: SchemaObject): fc.Arbitrary<string> {
  const texts = validValues(schema).map(String);
  return where === 'header' ? texts.filter(isHeaderText) : texts.filter(isPathText);
}

/** Every value of a parameter is text: only what does not look like its type is of another. */
function faultyParameters({ name, in: where, required, schema }: Described): fc.Arbitrary<Spoil>[] {
  const { type } = schema;
  if (where === 'header' && schema.pattern === undefined) return [];
  const isText = type === 'string' && schema.enum === undefined;
  const faulty = faultyValues(schema)
    .filter(({ keyword }) => !(isText && keyword === 'type'))
    .map(({ keyword, value }) => ({ keyword, text: toParameterText(value) ?? '' }))
    .filter(({ text }) => !looksLike(schema, text))
    .filter(({ text }) => (where === 'header' ? isHeaderText(text) : isPathText(text)))
    .map(({ keyword, text }): Spoil => {
      const fault: RequestFault = { in: where, keyword, path: name, isPivotal: false };
      return (request) => ({ ...withParameter(request, where, name, text), fault });
    });
  if (where !== 'query') return [faulty];
  const twice: Spoil = (request) => {
    const value = request.query.find(([each]) => each === name)?.[1] ?? '1';
    const query = [...request.query.filter(([each]) => each !== name), [name, value] as const];
    const fault: RequestFault = { in: where, keyword: 'once', path: name, isPivotal: false };
    return { ...request, query: [...query, [name, value]], fault };
  };
  const missing: Spoil = (request) => ({
    ...request,
    query: request.query.filter(([each]) => each !== name),
    fault: { in: where, keyword: 'required', path: name, isPivotal: false },
  });
  return [faulty, fc.constantFrom(twice, ...(required ? [missing] : []))];
}

function unknownParameters(): fc.Arbitrary<Spoil> {
  return fc
    .constantFrom('unknown', '__proto__', 'constructor', 'Limit', 'limit[]')
    .map((name): Spoil => (request) => ({
      ...request,
      query: [...request.query, [name, '1']],
      fault: { in: 'query', keyword: 'additionalProperties', path: name, isPivotal: false },
    }));
}

function faultyBodies(body: SchemaObject): fc.Arbitrary<Spoil> {
  return faultyValues(body).map(({ value, ...fault }): Spoil => (request) => ({
    ...request,
    body: value,
    fault: { in: 'body', ...fault },
  }));
}

function withParameter(
  request: RequestCase,
  where: Parameter['in'],
  name: string,
  text: string,
): RequestCase {
  if (where === 'path') return { ...request, path: { ...request.path, [name]: text } };
  if (where === 'header') return { ...request, headers: { ...request.headers, [name]: text } };
  const others = request.query.filter(([each]) => each !== name);
  return { ...request, query: [...others, [name, text]] };
}

/** Integers in digits, never as 1e300. Undefined for what is no single value. */
function toParameterText(value: Sent): string | undefined {
  if (typeof value === 'object') return undefined;
  return Number.isInteger(value) ? BigInt(value).toString() : String(value);
}

/** A text of another type may be of this one all the same: "0" is an integer, whatever was meant. */
function looksLike(
  { type, enum: values, minimum = -Infinity, maximum = Infinity }: SchemaObject,
  text: string,
): boolean {
  if (values !== undefined) return values.map(String).includes(text);
  if (type === 'boolean') return text === 'true' || text === 'false';
  if (type !== 'integer') return false;
  return /^-?[0-9]{1,16}$/.test(text) && Number(text) >= minimum && Number(text) <= maximum;
}

/** What arrives as it was sent: HTTP trims the ends, and clients refuse the rest. */
function isHeaderText(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text) && text === text.trim() && text.length <= 1_024;
}

/** In a path these would lead elsewhere; a query has no use for them either. */
function isPathText(text: string): boolean {
  return (
    text !== '' && text !== '.' && text !== '..' && text.isWellFormed() && text.length <= 1_024
  );
}
