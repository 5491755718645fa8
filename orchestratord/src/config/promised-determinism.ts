import type { PoolConfig, PromisedDeterminism } from '@llama-orch/contracts';
import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { adapterOf } from '@llama-orch/worker-adapters';

/**
 * What the operator vouches for, else what the engine can promise as it is run: a llama-server with
 * several slots computes them in one batch, whose shape may change the last bits of the logits.
 */
export function promisedDeterminism(
  pool: Pick<PoolConfig, 'engine' | 'determinism' | 'launch' | 'slots'>,
): PromisedDeterminism {
  const { engine, determinism, launch, slots } = pool;
  if (determinism !== undefined) return determinism;
  switch (adapterOf(engine).capabilities.determinism) {
    case 'none':
      return 'none';
    case 'exact':
      return 'exact';
    case 'exact-single-slot':
      // Hosts say what they run, and how many slots it has, when they come.
      if (launch === 'remote') return 'alone';
      return launch === 'embedded' || slots === 1 ? 'exact' : 'alone';
  }
}

/**
 * Whether a replica gives strict tasks the same bytes only while nothing else runs there. Goes by what it
 * told of itself: one with exact prefix reuse computes every sequence as if it were alone.
 */
export function isStrictAlone(
  { determinism }: Pick<PoolConfig, 'determinism'>,
  {
    engine,
    slots,
    exactPrefixReuse,
  }: Pick<ReplicaSnapshot, 'engine' | 'slots' | 'exactPrefixReuse'>,
): boolean {
  if (determinism !== undefined || exactPrefixReuse || slots <= 1) return false;
  return adapterOf(engine).capabilities.determinism === 'exact-single-slot';
}
