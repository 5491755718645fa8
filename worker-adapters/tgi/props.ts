import { numberField, stringField } from '../api/json-fields.ts';
import { EngineError } from '../api/types.ts';
import type { EngineProps } from '../api/types.ts';
import type { RequestLimits } from './completion-request.ts';

/** `--max-stop-sequences` where nobody set it. */
export const DEFAULT_LIMITS: RequestLimits = { stopStrings: 4 };

/** What one `/info` says, for the rest of the house and for the requests to it. */
export interface TgiInfo {
  readonly props: EngineProps & { readonly ctx: number };
  readonly limits: RequestLimits;
}

/**
 * Reads `GET /info` (docs/openapi.json, `Info`). The version is the release and the commit it was built
 * from: development builds share a release. `model_sha` is a commit of the model's repository and no digest.
 *
 * What TGI calls concurrent requests are those it has taken, running and waiting alike; it refuses any
 * more, so that is the most a replica may be given.
 * @param kvTokens from `/metrics`, where TGI says it
 * @throws EngineError `garbage` when the context is missing
 */
export function readInfo(value: unknown, kvTokens: number | undefined): TgiInfo {
  const ctx = numberField(value, 'max_total_tokens');
  if (ctx === undefined) throw new EngineError('garbage', 'tgi', '/info names no max_total_tokens');
  const version = stringField(value, 'version') ?? 'unknown';
  const commit = stringField(value, 'sha');
  const modelId = stringField(value, 'model_id') ?? '';
  return {
    props: {
      engineVersion: commit === undefined ? version : `${version}-${commit}`,
      modelAlias: modelId,
      modelPath: modelId.startsWith('/') ? modelId : undefined,
      modelDigest: undefined,
      slots: numberField(value, 'max_concurrent_requests'),
      ctx,
      kvTokens,
      chunkTokens: undefined,
      chat: 'engine',
      chatTemplate: undefined,
      exactPrefixReuse: false,
    },
    limits: {
      stopStrings: numberField(value, 'max_stop_sequences') ?? DEFAULT_LIMITS.stopStrings,
    },
  };
}
