/** What is made of openapi/config.yaml besides types and validator. */
import type { Contract, Json, JsonObject } from './contract-document.ts';
import { object, string } from './contract-document.ts';

const REF = /^#\/components\/schemas\//;

/** The configuration's JSON Schema for editors: one document, references inside it. */
export function configSchema(config: Contract): JsonObject {
  const { Config: root, ...rest } = schemasOf(config);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'llama-orch configuration',
    ...object(inside(root ?? null)),
    $defs: inside(rest),
  };
}

/** A table of the configuration's leaves and their types, for values that come as text. */
export function configLeavesModule(config: Contract): string {
  const rows = leaves(config, object(schemasOf(config)['Config']), '').map(
    ([path, type]) => `  '${path}': '${type}',`,
  );
  return [
    '// Made by `npm run contracts` from contracts/openapi; not edited by hand.',
    "type LeafType = 'string' | 'integer' | 'number' | 'boolean';",
    '/** JSON pointer of each leaf, `*` for any index → its JSON type. */',
    'export const CONFIG_LEAVES: Readonly<Record<string, LeafType>> = {',
    ...rows,
    '};',
    '',
  ].join('\n');
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
