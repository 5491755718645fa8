/** Shares and limits of tenants, and what each runs at once over all pools. */
import type { Priority, TenantSpec } from './types.ts';

interface Tenant {
  spec: TenantSpec | undefined;
  running: number;
}

export class Tenants {
  readonly #tenants = new Map<string, Tenant>();

  /** Replaces all limits and shares; what runs goes on. */
  configure(specs: readonly TenantSpec[]): void {
    for (const tenant of this.#tenants.values()) tenant.spec = undefined;
    for (const spec of specs) this.#of(spec.tenantId).spec = spec;
    for (const tenantId of [...this.#tenants.keys()]) this.#forgetIdle(tenantId);
  }

  weightOf(tenantId: string): number {
    return this.#tenants.get(tenantId)?.spec?.weight ?? 1;
  }

  /** False while the tenant runs as much as it may. */
  mayRun(tenantId: string): boolean {
    const tenant = this.#tenants.get(tenantId);
    return tenant === undefined || tenant.running < (tenant.spec?.maxConcurrent ?? Infinity);
  }

  started(tenantId: string): void {
    this.#of(tenantId).running += 1;
  }

  /** True when this made room below the tenant's limit. */
  stopped(tenantId: string): boolean {
    const tenant = this.#of(tenantId);
    const wasAtLimit = !this.mayRun(tenantId);
    tenant.running -= 1;
    this.#forgetIdle(tenantId);
    return wasAtLimit;
  }

  #of(tenantId: string): Tenant {
    let tenant = this.#tenants.get(tenantId);
    if (tenant === undefined) {
      tenant = { spec: undefined, running: 0 };
      this.#tenants.set(tenantId, tenant);
    }
    return tenant;
  }

  /** Names that clients made up must not stay for ever. */
  #forgetIdle(tenantId: string): void {
    const tenant = this.#tenants.get(tenantId);
    if (tenant !== undefined && tenant.spec === undefined && tenant.running === 0) {
      this.#tenants.delete(tenantId);
    }
  }
}

/** Shares of the classes in a pool that was not told yet. */
export const DEFAULT_CLASS_WEIGHTS: { readonly [P in Priority]: number } = {
  interactive: 8,
  batch: 1,
};

/** Weight of a tenant's class in a pool: the product, so that classes share within every tenant. */
export function flowWeight(
  tenants: Tenants,
  classWeights: { readonly [P in Priority]: number } | undefined,
  tenantId: string,
  priority: Priority,
): number {
  return tenants.weightOf(tenantId) * (classWeights ?? DEFAULT_CLASS_WEIGHTS)[priority];
}
