/** The tenants of a configuration, `default` among them. */
import type { Config } from '@llama-orch/contracts';
import { DEFAULT_TENANT } from './identity.ts';
import { TokenBucket, type RateLimit } from './token-bucket.ts';

export interface Tenant {
  readonly id: string;
  /** Share of the pools while others wait too. */
  readonly weight: number;
  /** Tasks running at once; undefined is unlimited. */
  readonly maxConcurrent: number | undefined;
  /** Tasks posted; undefined is unlimited. */
  readonly rateLimit: RateLimit | undefined;
}

/** By id, in the order of the configuration; `default` comes first when it is not listed. */
export function tenantsOf({ tenants }: Pick<Config, 'tenants'>): ReadonlyMap<string, Tenant> {
  const all = tenants.some((tenant) => tenant.id === DEFAULT_TENANT)
    ? tenants
    : [{ id: DEFAULT_TENANT, weight: 1 }, ...tenants];
  return new Map(all.map((tenant) => [tenant.id, toTenant(tenant)]));
}

function toTenant(config: Config['tenants'][number]): Tenant {
  const { id, weight, max_concurrent: maxConcurrent, rps, burst } = config;
  return {
    id,
    weight,
    maxConcurrent,
    rateLimit: rps === undefined ? undefined : { rps, burst: burst ?? Math.ceil(rps) },
  };
}

/** A bucket for each tenant that has a rate limit. */
export class RateLimits {
  readonly #buckets: ReadonlyMap<string, TokenBucket>;

  constructor(tenants: Iterable<Tenant>) {
    this.#buckets = new Map(
      [...tenants].flatMap(({ id, rateLimit }) =>
        rateLimit === undefined ? [] : [[id, new TokenBucket(rateLimit)] as const],
      ),
    );
  }

  /** Counts one task; returns 0 when it may pass, else how long to wait, ms. */
  take(tenantId: string, nowMs: number): number {
    return this.#buckets.get(tenantId)?.take(nowMs) ?? 0;
  }
}
