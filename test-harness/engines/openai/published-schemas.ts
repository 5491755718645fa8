import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

/** The shapes that OpenAI and the servers publish, see `schemas/`. */

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
for (const name of ['openai', 'sglang', 'ollama']) {
  const schema = readFileSync(new URL(`schemas/${name}.json`, import.meta.url), 'utf8');
  ajv.addSchema(JSON.parse(schema) as object, name);
}

/** What a value has against a schema, `openai#ErrorResponse`; undefined when it fits. */
export function violations(name: string, value: unknown): unknown {
  const [file = '', definition = ''] = name.split('#');
  const validate = ajv.getSchema(`${file}#/$defs/${definition}`);
  if (validate === undefined) throw new Error(`no schema ${name}`);
  return validate(value) === true ? undefined : validate.errors;
}
