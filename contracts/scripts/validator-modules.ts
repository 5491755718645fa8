/**
 * Validators compiled ahead of time by ajv, as ES modules that load without ajv's compiler. Separate
 * modules, so that only tests load the large ones for answers.
 */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Options } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';

import type { Contract, JsonObject, Parameter } from './contract-document.ts';
import { object, operationsOf, schemaName, string } from './contract-document.ts';

const HEADER = '// Made by `npm run contracts` from contracts/openapi; not edited by hand.\n';

/** Export name → reference of its schema, or a schema of its own. */
type Exports = Readonly<Record<string, string | JsonObject>>;
type Files = readonly (readonly [name: string, text: string])[];

/**
 * Bodies have two validators each: `validate-requests` stops at the first fault, which keeps
 * refusing hostile bodies cheap, and `validate-requests-fully` finds all of them, for bodies small
 * enough to explain. Neither changes what it is given.
 */
export function requestValidators(contracts: readonly Contract[]): Files {
  const bodies = Object.fromEntries(
    operationsOf(contracts).flatMap((op) => (op.bodyRef ? [[op.operationId, op.bodyRef]] : [])),
  );
  return [
    ...compiled('validate-requests', contracts, bodies, {}),
    ...compiled('validate-requests-fully', contracts, bodies, { allErrors: true }),
  ];
}

/** Query parameters, after each was turned into its type; defaults are filled in. */
export function queryValidators(contracts: readonly Contract[]): Files {
  const queries = Object.fromEntries(
    operationsOf(contracts).flatMap((op) => {
      const query = op.parameters.filter((p) => p.in === 'query');
      return query.length > 0 ? [[op.operationId, querySchema(query)]] : [];
    }),
  );
  return compiled('validate-queries', contracts, queries, { allErrors: true, useDefaults: true });
}

export function configValidators(config: Contract): Files {
  const roots = {
    config: 'config.yaml#/components/schemas/Config',
    hostConfig: 'config.yaml#/components/schemas/HostConfig',
  };
  return compiled('validate-config', [config], roots, { allErrors: true, useDefaults: true });
}

/** The one answer that a program of ours reads: pool-managerd, of what orchestratord tells it. */
export function hostAnswerValidators(contracts: readonly Contract[]): Files {
  const answer = { hostSyncAnswer: 'pool.yaml#/components/schemas/HostSyncAnswer' };
  return compiled('validate-host-answers', contracts, answer, {});
}

/** One validator for each schema an answer or a stream's event can have, by the schema's name. */
export function responseValidators(contracts: readonly Contract[]): Files {
  const bodies = operationsOf(contracts).flatMap((op) => [...op.responses.values()]);
  const data = contracts.find((c) => c.file === 'data.yaml');
  const stream = object(object(object(data?.document['components'])['schemas'])['TaskStream']);
  const events = Object.values(object(stream['x-sse-events'])).map(
    (name) => `data.yaml#/components/schemas/${string(name)}`,
  );
  const refs = [...bodies, ...events].filter((ref) => ref !== undefined);
  // Wrapped, since ajv writes a validator twice that is exported and referred to as well.
  const schemas = Object.fromEntries(refs.map((ref) => [schemaName(ref), { $ref: ref }]));
  return compiled('validate-responses', contracts, schemas, { allErrors: true, inlineRefs: false });
}

function querySchema(query: readonly Parameter[]): JsonObject {
  return {
    type: 'object',
    additionalProperties: false,
    required: query.filter((p) => p.required).map((p) => p.name),
    properties: Object.fromEntries(
      query.map(({ name, schemaRef, schema }) => [
        name,
        {
          $ref: schemaRef,
          ...(schema['default'] === undefined ? {} : { default: schema['default'] }),
        },
      ]),
    ),
  };
}

function compiled(
  name: string,
  contracts: readonly Contract[],
  exports: Exports,
  options: Options,
): Files {
  const ajv = new Ajv2020({
    // Formats are annotations here: what must hold is said by pattern, minimum and maximum.
    validateFormats: false,
    strict: true,
    strictTypes: false,
    strictRequired: false,
    code: { source: true, esm: true },
    ...options,
  });
  // A whole document is the schema that references point into; its own fields say nothing.
  ajv.addVocabulary([...new Set(contracts.flatMap((c) => Object.keys(c.document)))]);
  for (const { file, document } of contracts) ajv.addSchema(document, file, false, false);
  const ids = Object.entries(exports).map(([key, schema]) => {
    if (typeof schema === 'string') return [key, schema] as const;
    ajv.addSchema(schema, key);
    return [key, key] as const;
  });
  const code = standalone.default(ajv, Object.fromEntries(ids));
  return [
    [`${name}.js`, HEADER + selfContained(code)],
    [`${name}.d.ts`, HEADER + declarations(Object.keys(exports))],
  ];
}

/**
 * ajv writes `require` for its helpers even into ES modules. The only one in use counts the
 * characters of a text as JSON Schema does, by code points; it is written into the module.
 */
function selfContained(code: string): string {
  const needed = /const (\w+) = require\("ajv\/dist\/runtime\/ucs2length"\)\.default;/g;
  const body = code.replace('"use strict";', '').replaceAll(needed, 'const $1 = codePoints;');
  if (body.includes('require(')) throw new Error('a validator needs another helper of ajv');
  return `${body}\n${CODE_POINTS}`;
}

/** Most text has no surrogates; V8 tells so at once for text that it stores in one byte each. */
const CODE_POINTS = `const SURROGATE = /[\\ud800-\\udbff]/;
function codePoints(text) {
  let count = text.length;
  if (!SURROGATE.test(text)) return count;
  for (let i = 0; i < text.length - 1; i += 1) {
    if ((text.charCodeAt(i) & 0xfc00) !== 0xd800) continue;
    if ((text.charCodeAt(i + 1) & 0xfc00) !== 0xdc00) continue;
    count -= 1;
    i += 1;
  }
  return count;
}
`;

function declarations(exports: readonly string[]): string {
  const lines = [
    "import type { ErrorObject } from 'ajv';",
    'interface CompiledValidator {',
    '  (value: unknown): boolean;',
    '  errors?: ErrorObject[] | null;',
    '}',
    ...exports.map((key) => `export const ${key}: CompiledValidator;`),
  ];
  return `${lines.join('\n')}\n`;
}
