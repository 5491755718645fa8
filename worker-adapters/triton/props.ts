import { stringField } from '../api/json-fields.ts';
import type { EngineProps } from '../api/types.ts';
import type { TritonModel } from './model-config.ts';

/**
 * Puts together what Triton tells of itself (`GET /v2`) and of a model. It tells neither how many
 * requests the model runs at once nor how large its KV cache is, and has no chat template.
 */
export function toProps(
  server: unknown,
  model: TritonModel,
  modelName: string,
  chatTemplate: string | undefined,
): EngineProps {
  return {
    engineVersion: stringField(server, 'version') ?? 'unknown',
    modelAlias: modelName,
    modelPath: undefined,
    modelDigest: undefined,
    slots: undefined,
    ctx: model.ctx,
    kvTokens: undefined,
    chunkTokens: undefined,
    chat: chatTemplate === undefined ? 'none' : 'template',
    chatTemplate,
    exactPrefixReuse: false,
  };
}
