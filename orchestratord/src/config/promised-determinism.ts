import type { PoolConfig, PromisedDeterminism } from '@llama-orch/contracts';
import { adapterOf } from '@llama-orch/worker-adapters';

/** What the operator vouches for, else what the engine's adapter can promise as it is usually run. */
export function promisedDeterminism({ engine, determinism }: PoolConfig): PromisedDeterminism {
  if (determinism !== undefined) return determinism;
  return adapterOf(engine).capabilities.determinism === 'none' ? 'none' : 'exact';
}
