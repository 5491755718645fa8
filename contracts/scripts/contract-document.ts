/** Reading the OpenAPI files and walking what the generators need of them. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parseDocument } from 'yaml';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export interface Contract {
  /** File name, such as `data.yaml`; also the base of its references in JSON Schema. */
  readonly file: string;
  readonly url: URL;
  readonly document: JsonObject;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: JsonObject;
  /** Where the schema stands, for references: `data.yaml#/paths/…/schema`. */
  readonly schemaRef: string;
}

export interface Operation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly requirementIds: readonly string[];
  /** `x-scope`: what a key must be allowed to do. Null for an operation that is open to everyone. */
  readonly scope: string | null;
  readonly parameters: readonly Parameter[];
  readonly bodyRef: string | undefined;
  /** Status (or `default`) → reference of the JSON body's schema, undefined without a JSON body. */
  readonly responses: ReadonlyMap<string, string | undefined>;
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/** @throws Error when the file is not YAML or repeats a key. */
export async function readContract(url: URL): Promise<Contract> {
  const yaml = parseDocument(await readFile(url, 'utf8'), { uniqueKeys: true });
  const [fault] = yaml.errors;
  if (fault) throw fault;
  return { file: basename(fileURLToPath(url)), url, document: object(yaml.toJS()) };
}

export function object(value: unknown): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`expected an object, found ${JSON.stringify(value)}`);
  }
  return value as JsonObject;
}

export function string(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`expected text, found ${JSON.stringify(value)}`);
  return value;
}

export const pointer = (...segments: readonly string[]): string =>
  segments.map((s) => `/${s.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** `data.yaml#/components/schemas/Task` → Task. */
export function schemaName(ref: string): string {
  const name = /\/components\/schemas\/(\w+)$/.exec(ref)?.[1];
  if (!name) throw new Error(`${ref} must be a schema with a name`);
  return name;
}

/** @throws Error unless the operation has either an x-scope or an empty `security` */
function scopeOf(operation: JsonObject): string | null {
  const { 'x-scope': scope, security } = operation;
  const isOpen = Array.isArray(security) && security.length === 0;
  if (isOpen === (scope !== undefined)) {
    throw new Error(`${string(operation['operationId'])} needs an x-scope or security: []`);
  }
  return isOpen ? null : string(scope);
}

/** Finding one's way through contracts by places such as `data.yaml#/components/schemas/Task`. */
export interface Places {
  /** What stands there. @throws Error for a place in another file, or without an object */
  readonly at: (place: string) => JsonObject;
  /** Follows a reference once, if there is one: the place it leads to. */
  readonly resolve: (place: string) => string;
}

export function placesIn(contracts: readonly Contract[]): Places {
  const at = (place: string): JsonObject => {
    const [file, fragment = ''] = place.split('#');
    const contract = contracts.find((c) => c.file === file);
    if (!contract) throw new Error(`${place} points outside the contracts`);
    const keys = fragment.split('/').slice(1);
    return object(
      keys
        .map((key) => decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~'))
        .reduce<unknown>((node, key) => (node as JsonObject)[key], contract.document),
    );
  };
  const resolve = (place: string): string => {
    const node = at(place);
    if (typeof node['$ref'] !== 'string') return place;
    return referredFrom(place, node['$ref']);
  };
  return { at, resolve };
}

/** The place that a reference leads to, from the place where it is written. */
export function referredFrom(place: string, ref: string): string {
  const [file] = place.split('#');
  return new URL(ref, `file:///${file}`).href.slice('file:///'.length);
}

/** Every operation of the contracts, with references between their files followed. */
export function operationsOf(contracts: readonly Contract[]): readonly Operation[] {
  const { at, resolve } = placesIn(contracts);
  const jsonSchemaAt = (place: string): string | undefined => {
    const content = at(place)['content'];
    if (content === undefined || object(content)['application/json'] === undefined)
      return undefined;
    return resolve(`${place}${pointer('content', 'application/json', 'schema')}`);
  };

  return contracts.flatMap(({ file, document }) =>
    Object.entries(object(document['paths'])).flatMap(([path, item]) =>
      METHODS.filter((method) => object(item)[method]).map((method): Operation => {
        const shared = `${file}#${pointer('paths', path)}`;
        const place = `${shared}/${method}`;
        const operation = at(place);
        const parameters = [shared, place].flatMap((owner) =>
          ((at(owner)['parameters'] ?? []) as readonly Json[]).map((_, i): Parameter => {
            const found = resolve(`${owner}/parameters/${i}`);
            const schemaRef = resolve(`${found}/schema`);
            const { name, in: where, required = false } = at(found) as unknown as Parameter;
            return { name, in: where, required, schema: at(schemaRef), schemaRef };
          }),
        );
        return {
          operationId: string(operation['operationId']),
          method: method.toUpperCase(),
          path,
          requirementIds: operation['x-req-id'] as readonly string[],
          scope: scopeOf(operation),
          parameters,
          bodyRef: operation['requestBody'] ? jsonSchemaAt(`${place}/requestBody`) : undefined,
          responses: new Map(
            Object.keys(object(operation['responses'])).map((status) => [
              status,
              jsonSchemaAt(resolve(`${place}/responses/${status}`)),
            ]),
          ),
        };
      }),
    ),
  );
}
