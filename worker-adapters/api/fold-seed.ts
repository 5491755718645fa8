/** Engines of the llama.cpp family read this seed as "draw one at random". */
const RANDOM_SEED = 0xffff_ffffn;

/**
 * Folds a contract seed (int64) into the 32-bit range every engine accepts, 0 … 2^32 - 2.
 *
 * Seeds already in that range pass unchanged. All others are read as unsigned 64 bits, mixed with
 * the splitmix64 finalizer (Stafford's variant 13) and reduced modulo 2^32 - 1, so neighbouring
 * seeds give unrelated ones and the value that means "random" never appears. The mapping is part of
 * what a recorded seed means: it must not change.
 */
export function foldSeed(seed: bigint): number {
  if (seed >= 0n && seed < RANDOM_SEED) return Number(seed);
  let z = BigInt.asUintN(64, seed);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  z ^= z >> 31n;
  return Number(z % RANDOM_SEED);
}
