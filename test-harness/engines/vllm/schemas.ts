import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv/dist/2020.js';

export type SchemaName =
  | 'completion-request'
  | 'chat-completion-request'
  | 'completion-chunk'
  | 'chat-completion-chunk'
  | 'error'
  | 'models'
  | 'tokenize'
  | 'embeddings'
  | 'rerank';

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
const compiled = new Map<SchemaName, ValidateFunction>();

/** What is wrong with `value` by one of vLLM's schemas; undefined when nothing is. */
export function violation(name: SchemaName, value: unknown): string | undefined {
  let validate = compiled.get(name);
  if (validate === undefined) {
    const text = readFileSync(new URL(`schemas/${name}.json`, import.meta.url), 'utf8');
    validate = ajv.compile(JSON.parse(text) as object);
    compiled.set(name, validate);
  }
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}
