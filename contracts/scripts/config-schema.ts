/** What is made of openapi/config.yaml besides types and validator. */
import type { Contract, Json, JsonObject } from './contract-document.ts';
import { object, string } from './contract-document.ts';

const REF = /^#\/components\/schemas\//;

/** Which program's configuration: the name of its root schema. */
export type ConfigRoot = 'Config' | 'HostConfig';

const TITLES = {
  Config: 'llama-orch configuration',
  HostConfig: 'pool-managerd configuration',
} as const satisfies Record<ConfigRoot, string>;

/** A configuration's JSON Schema for editors: one document, references inside it. */
export function configSchema(config: Contract, root: ConfigRoot): JsonObject {
  const { [root]: schema, ...rest } = schemasOf(config);
  const used = reachable(config, object(schema));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: TITLES[root],
    ...object(inside(schema ?? null)),
    $defs: inside(Object.fromEntries(Object.entries(rest).filter(([name]) => used.has(name)))),
  };
}

/** Tables of the configurations' leaves and their types, for values that come as text. */
export function configLeavesModule(config: Contract): string {
  return [
    '// Made by `npm run contracts` from contracts/openapi; not edited by hand.',
    "type LeafType = 'string' | 'integer' | 'number' | 'boolean';",
    '/** JSON pointer of each leaf, `*` for any index → its JSON type. */',
    'export type ConfigLeaves = Readonly<Record<string, LeafType>>;',
    ...leavesTable(config, 'CONFIG_LEAVES', 'Config'),
    ...leavesTable(config, 'HOST_CONFIG_LEAVES', 'HostConfig'),
    '',
  ].join('\n');
}

function leavesTable(config: Contract, name: string, root: ConfigRoot): readonly string[] {
  const rows = leaves(config, object(schemasOf(config)[root]), '').map(
    ([path, type]) => `  '${path}': '${type}',`,
  );
  return [`export const ${name}: ConfigLeaves = {`, ...rows, '};'];
}

/** Names of the schemas that a schema refers to, at any depth. */
function reachable(config: Contract, from: JsonObject): ReadonlySet<string> {
  const found = new Set<string>();
  const open: Json[] = [from];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    const { $ref: ref } = node as JsonObject;
    const name = typeof ref === 'string' ? ref.replace(REF, '') : undefined;
    if (name !== undefined && !found.has(name)) {
      found.add(name);
      open.push(schemasOf(config)[name] ?? null);
    }
    open.push(...Object.values<Json>(node as JsonObject));
  }
  return found;
}

function leaves(
  config: Contract,
  schema: JsonObject,
  path: string,
): readonly (readonly [path: string, type: string])[] {
  if (typeof schema['$ref'] === 'string') {
    const name = schema['$ref'].replace(REF, '');
    return leaves(config, object(schemasOf(config)[name]), path);
  }
  if (schema['type'] === 'array') return leaves(config, object(schema['items']), `${path}/*`);
  if (schema['type'] !== 'object') return [[path, string(schema['type'])]];
  // A map's keys are the operator's own: no variable can name them.
  if (schema['properties'] === undefined) return [];
  return Object.entries(object(schema['properties'])).flatMap(([key, property]) =>
    leaves(config, object(property), `${path}/${key}`),
  );
}

function schemasOf(config: Contract): JsonObject {
  return object(object(config.document['components'])['schemas']);
}

function inside(node: Json): Json {
  if (typeof node === 'string') return node.replace(REF, '#/$defs/');
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return (node as readonly Json[]).map(inside);
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, inside(value)]));
}
