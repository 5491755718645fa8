import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';

const DOCUMENT: object = JSON.parse(
  readFileSync(new URL('schemas/openapi.json', import.meta.url), 'utf8'),
) as object;
const ajv = new Ajv2020({ allErrors: true, strictTypes: false });
ajv.addSchema(DOCUMENT, 'tgi');

export type TgiSchema =
  | 'GenerateRequest'
  | 'ChatRequest'
  | 'StreamResponse'
  | 'ChatCompletionChunk'
  | 'ErrorResponse'
  | 'TokenizeResponse'
  | 'ChatTokenizeResponse'
  | 'Info'
  | 'ModelInfo';

/** What the engine's own schema finds wrong with `value`; nothing when it fits. */
export function violations(schema: TgiSchema, value: unknown): string[] {
  const validate = ajv.getSchema(`tgi#/$defs/${schema}`);
  if (validate === undefined) throw new Error(`no such schema: ${schema}`);
  if (validate(value) === true) return [];
  return (validate.errors ?? []).map((each) => `${each.instancePath} ${each.message ?? ''}`);
}
