import { field, numberField, stringField } from '../api/json-fields.ts';
import { EngineError } from '../api/types.ts';
import type { EngineProps } from '../api/types.ts';

/**
 * Reads `GET /props`. That prefix reuse is exact is declared by the key `llama_orch.exact_prefix_reuse`,
 * which llama-server does not have.
 * @throws EngineError `garbage` when slots or context are missing
 */
export function readProps(value: unknown): EngineProps {
  const slots = numberField(value, 'total_slots');
  const ctx = numberField(field(value, 'default_generation_settings'), 'n_ctx');
  if (slots === undefined || ctx === undefined) {
    throw new EngineError('garbage', 'llamacpp', '/props names no slots or no context');
  }
  const chatTemplate = stringField(value, 'chat_template');
  return {
    engineVersion: stringField(value, 'build_info') ?? 'unknown',
    modelAlias: stringField(value, 'model_alias') ?? '',
    modelPath: stringField(value, 'model_path'),
    modelDigest: undefined,
    slots,
    ctx,
    kvTokens: undefined,
    chunkTokens: undefined,
    chat: chatTemplate === undefined || chatTemplate === '' ? 'none' : 'template',
    chatTemplate,
    exactPrefixReuse: field(field(value, 'llama_orch'), 'exact_prefix_reuse') === true,
  };
}
