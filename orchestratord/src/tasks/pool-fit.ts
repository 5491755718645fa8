/** What a request asks of its pool that not every pool has: a refusal at admission, never ignored (OC-CTRL-2019). */
import type { FaultDetail, PromisedDeterminism, TaskRequest } from '@llama-orch/contracts';

export interface PoolAbility {
  readonly engine: string;
  /** Of the engine's adapter. */
  readonly features: readonly string[];
  readonly determinism: PromisedDeterminism;
}

/** Fields that some engines lack; the feature that serves a field has its name. */
const FEATURE_FIELDS = ['grammar', 'json_schema', 'logprobs', 'min_p', 'top_k'] as const;

/** The fields that the pool cannot do justice to, by path; empty when it can serve the request. */
export function unmetBy(pool: PoolAbility, request: TaskRequest): readonly FaultDetail[] {
  const { engine, features, determinism } = pool;
  const lacking = FEATURE_FIELDS.filter(
    // 0 switches off what the engine does not have anyway.
    (field) => (request[field] ?? 0) !== 0 && !features.includes(field),
  ).map((field) => ({ path: `/${field}`, message: `is not supported by the engine ${engine}` }));
  if (request.determinism !== 'strict' || determinism !== 'none') return lacking;
  const message = 'strict is not promised by this pool: leave it out or ask for best_effort';
  return [...lacking, { path: '/determinism', message }];
}
