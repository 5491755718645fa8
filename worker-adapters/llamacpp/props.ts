import { field, numberField, stringField } from '../api/json-fields.ts';
import { EngineError } from '../api/types.ts';
import type { EngineProps } from '../api/types.ts';

export interface LlamaCppProps {
  readonly props: EngineProps;
  /**
   * The engine declares that a prefix hit gives the same bytes as a cold prompt, as `/props` key
   * `llama_orch.exact_prefix_reuse`. llama-server has no such key.
   */
  readonly exactPrefixReuse: boolean;
}

/** Reads `GET /props`. @throws EngineError `garbage` when slots or context are missing */
export function readProps(value: unknown): LlamaCppProps {
  const slots = numberField(value, 'total_slots');
  const ctx = numberField(field(value, 'default_generation_settings'), 'n_ctx');
  if (slots === undefined || ctx === undefined) {
    throw new EngineError('garbage', 'llamacpp', '/props names no slots or no context');
  }
  return {
    props: {
      engineVersion: stringField(value, 'build_info') ?? 'unknown',
      modelAlias: stringField(value, 'model_alias') ?? '',
      modelPath: stringField(value, 'model_path'),
      slots,
      ctx,
      chatTemplate: stringField(value, 'chat_template'),
    },
    exactPrefixReuse: field(field(value, 'llama_orch'), 'exact_prefix_reuse') === true,
  };
}
