/**
 * Random numbers without state: a draw is named by its seed, its stream and its index. One
 * component's draws therefore never shift another's, and the tenth iteration of a replica is
 * as noisy under one policy as under any other.
 */

/** A number in [0, 1), always the same for the same three integers. */
export function uniformAt(seed: number, stream: number, index: number): number {
  let h = mix(seed | 0);
  h = mix(h ^ Math.imul(stream + 1, 0x9e3779b1));
  h = mix(h ^ Math.imul((index + 1) | 0, 0x85ebca77));
  return (h >>> 0) / 4_294_967_296;
}

export interface SeededRandom {
  /** The next number in [0, 1). */
  next(): number;
  /** Exponentially distributed with the given mean. */
  exponential(mean: number): number;
}

export function createRandom(seed: number, stream: number): SeededRandom {
  let index = 0;
  const next = () => uniformAt(seed, stream, index++);
  return { next, exponential: (mean) => -mean * Math.log(1 - next()) };
}

/** The finaliser of MurmurHash3: every input bit changes about half of the output bits. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
