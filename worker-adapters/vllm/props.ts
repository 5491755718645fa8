import { stringField } from '../api/json-fields.ts';
import { findServedModel } from '../api/openai-models.ts';
import { EngineError } from '../api/types.ts';
import type { EngineProps } from '../api/types.ts';
import { readKvTokens } from './metrics.ts';

/** The answers that describe a vLLM server. */
export interface VllmAnswers {
  /** Of `GET /version`. */
  readonly version: unknown;
  /** Of `GET /v1/models`. */
  readonly models: unknown;
  /** Of `GET /metrics`; undefined where it could not be had. */
  readonly exposition: string | undefined;
}

/**
 * How many requests run at once (`--max-num-seqs`), the chat template and whether batch invariance is
 * on are in none of the answers.
 * @param model the name asked for; undefined: the base model
 * @throws EngineError `garbage` when the model or its context is missing
 */
export function readProps(answers: VllmAnswers, model: string | undefined): EngineProps {
  const { version, models, exposition } = answers;
  const served = findServedModel(models, model);
  if (served?.maxModelLen === undefined) {
    throw new EngineError('garbage', 'vllm', '/v1/models names no such model or no context');
  }
  return {
    engineVersion: stringField(version, 'version') ?? 'unknown',
    modelAlias: served.id,
    modelPath: served.root,
    modelDigest: undefined,
    slots: undefined,
    ctx: served.maxModelLen,
    kvTokens: exposition === undefined ? undefined : readKvTokens(exposition),
    chunkTokens: undefined,
    chat: 'engine',
    chatTemplate: undefined,
    exactPrefixReuse: false,
  };
}
