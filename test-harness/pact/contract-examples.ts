/** The contract's own schemas and examples, from which the pacts are made. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { CONTRACT_FILES, OPERATIONS, type OperationId } from '@llama-orch/contracts';
import { parse } from 'yaml';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** @throws Error for what is neither text, number nor boolean */
export function scalarText(value: Json | undefined): string {
  if (value === undefined || value === null || typeof value === 'object') {
    throw new Error(`expected a scalar, found ${JSON.stringify(value)}`);
  }
  return String(value);
}

/** A node of a contract, and the file that its references count from. */
export interface Place {
  readonly file: string;
  readonly node: JsonObject;
}

export type ContractName = keyof typeof CONTRACT_FILES;

const documents = new Map(
  Object.values(CONTRACT_FILES).map((url) => [
    basename(url.pathname),
    parse(readFileSync(url, 'utf8')) as JsonObject,
  ]),
);

/** The file whose operation it is. */
export function contractOf(operationId: OperationId): ContractName {
  const { path } = OPERATIONS[operationId];
  const names = Object.keys(CONTRACT_FILES) as ContractName[];
  const found = names.find((name) => {
    const paths = documents.get(`${name}.yaml`)?.['paths'];
    return paths !== undefined && Object.hasOwn(paths as JsonObject, path);
  });
  if (found === undefined) throw new Error(`no contract has ${path}`);
  return found;
}

/** Follows references until there is none; what stands beside one is kept. */
export function resolved({ file, node }: Place): Place {
  const { $ref, ...beside } = node;
  if (typeof $ref !== 'string') return { file, node };
  const [path = '', fragment = ''] = $ref.split('#');
  const target = path === '' ? file : path.replace('./', '');
  const document = documents.get(target);
  const found = fragment
    .split('/')
    .slice(1)
    .reduce<Json | undefined>(
      (at, key) => (at as JsonObject | undefined)?.[key.replaceAll('~1', '/')],
      document,
    );
  if (found === undefined) throw new Error(`${$ref} in ${file} leads nowhere`);
  const next = resolved({ file: target, node: found as JsonObject });
  return { file: next.file, node: { ...next.node, ...beside } };
}

export function child(place: Place, ...keys: readonly string[]): Place | undefined {
  return keys.reduce<Place | undefined>((at, key) => {
    const node = at?.node[key];
    return at === undefined || node === undefined
      ? undefined
      : resolved({ file: at.file, node: node as JsonObject });
  }, place);
}

function operation(operationId: OperationId): Place {
  const { method, path } = OPERATIONS[operationId];
  const file = `${contractOf(operationId)}.yaml`;
  const document = documents.get(file);
  const found = document && child({ file, node: document }, 'paths', path, method.toLowerCase());
  if (found === undefined) throw new Error(`${file} has no ${operationId}`);
  return found;
}

/** Schema of an answer's JSON; undefined where it has none. */
export function responseSchema(operationId: OperationId, status: string): Place | undefined {
  const content = child(operation(operationId), 'responses', status, 'content');
  return content && child(content, 'application/json', 'schema');
}

/** @param name of the example; by default the first @throws Error when there is none */
export function responseExample(operationId: OperationId, status: string, name?: string): Json {
  return exampleIn(child(operation(operationId), 'responses', status), name);
}

/** @throws Error when there is none */
export function requestExample(operationId: OperationId, name?: string): Json {
  return exampleIn(child(operation(operationId), 'requestBody'), name);
}

function exampleIn(owner: Place | undefined, name: string | undefined): Json {
  const contents = Object.values((owner && child(owner, 'content')?.node) ?? {});
  for (const content of contents as readonly JsonObject[]) {
    const examples = (content['examples'] ?? {}) as Readonly<Record<string, { value: Json }>>;
    const found = name === undefined ? Object.values(examples)[0] : examples[name];
    if (found !== undefined) return found.value;
  }
  throw new Error(`the contract has no example ${name ?? ''} there`);
}

/** Names of the headers that an answer has or may have. */
export function responseHeaders(operationId: OperationId, status: string): readonly string[] {
  const headers = child(operation(operationId), 'responses', status, 'headers');
  return Object.keys(headers?.node ?? {});
}

/** Names of the events of a task's stream. */
export function streamEvents(): readonly string[] {
  const document = documents.get('data.yaml') ?? {};
  const events = child(
    { file: 'data.yaml', node: document },
    ...['components', 'schemas', 'TaskStream', 'x-sse-events'],
  );
  return Object.keys(events?.node ?? {});
}
