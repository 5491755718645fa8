/**
 * A seeded source of chance, and the time that the iterations of an engine take by the formula of
 * `latency-model.ts`, with constants as fitted for an 8B model on an A100.
 */
export interface Chance {
  /** Even in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Even on a logarithmic scale. */
  between(low: number, high: number): number;
}

/** Park and Miller's generator: short, and good enough for noise. */
export function seededChance(seed: number): Chance {
  let state = seed;
  const uniform = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    between: (low, high) => low * (high / low) ** uniform(),
  };
}

export const CHUNK_TOKENS = 2048;

export interface Step {
  /** All tokens of the step, decodes included. */
  readonly tokens: number;
  readonly decoding: number;
  readonly decodeContext: number;
  readonly pairs: number;
}

export function stepMs({ tokens, decoding, decodeContext, pairs }: Step): number {
  const layersMs = Math.max(10.3 + 0.027 * tokens, 2 + 0.0668 * tokens);
  return layersMs + 1.15 + 0.0044 * decoding + 1.25e-4 * decodeContext + 3.4e-6 * pairs;
}

export interface PrefillCase {
  readonly uncached: number;
  readonly cached: number;
  readonly decoding: number;
  readonly decodeContext: number;
}

/** From chat turns to long documents, with and without a cached prefix, idle to busy. */
export function somePrefill(chance: Chance): PrefillCase {
  const uncached = Math.ceil(chance.between(20, 30_000));
  const cached = chance.uniform() < 0.5 ? 0 : Math.floor(chance.uniform() * 20_000);
  const decoding = Math.floor(chance.uniform() * 60);
  const decodeContext = decoding * Math.floor(chance.between(300, 3_000));
  return { uncached, cached, decoding, decodeContext };
}

/** @param factor of each iteration */
export function truePrefillMs(prefill: PrefillCase, factor: () => number = () => 1): number {
  const { uncached, cached, decoding, decodeContext } = prefill;
  const chunk = CHUNK_TOKENS - decoding;
  let ms = 0;
  for (let done = 0; done < uncached; done += chunk) {
    const part = Math.min(chunk, uncached - done);
    const pairs = part * (cached + done + part / 2);
    ms += factor() * stepMs({ tokens: part + decoding, decoding, decodeContext, pairs });
  }
  return ms;
}
