/**
 * How long one step of a continuous-batching engine takes. For a step of `n` tokens, `b` of them
 * decodes:
 *
 *     max(A0 + A1·n, B0 + B1·n) + F + G·b + KV·Σ context of decodes + QK·Σ q·(ctx + q/2)
 *
 * The first term is the larger of reading the weights and computing with them; then the host's
 * share, the KV cache read by the decodes, and the attention of the prefill chunks (`q` tokens on
 * top of `ctx` already present).
 */

export interface IterationConstants {
  readonly name: string;
  /** Reading the weights: ms, ms per token. */
  readonly a0Ms: number;
  readonly a1Ms: number;
  /** Computing: ms, ms per token. */
  readonly b0Ms: number;
  readonly b1Ms: number;
  /** Host: ms per step, ms per decode. */
  readonly hostMs: number;
  readonly hostPerDecodeMs: number;
  /** KV read: ms per token of context of a decode. */
  readonly kvMs: number;
  /** Prefill attention: ms per pair of tokens. */
  readonly pairMs: number;
}

/** Llama-3-8B in BF16 on an A100-80. Fitted on Vidur's operator profiles and BLIS's coefficients. */
export const A100_8B: IterationConstants = {
  name: 'a100-8b',
  a0Ms: 10.3,
  a1Ms: 0.027,
  b0Ms: 2.0,
  b1Ms: 0.0668,
  hostMs: 1.15,
  hostPerDecodeMs: 0.0044,
  kvMs: 0.000125,
  pairMs: 3.36e-6,
};

/** Llama-3-8B in BF16 on an H100. Same sources, scaled. */
export const H100_8B: IterationConstants = {
  name: 'h100-8b',
  a0Ms: 6.2,
  a1Ms: 0.007,
  b0Ms: 1.0,
  b1Ms: 0.0216,
  hostMs: 1.15,
  hostPerDecodeMs: 0.0044,
  kvMs: 0.000076,
  pairMs: 1.06e-6,
};

export const MODELS: readonly IterationConstants[] = [A100_8B, H100_8B];

/**
 * One step, ms.
 * @param tokens all tokens of the step
 * @param decodes how many of them are decodes
 * @param decodeContext sum of the decodes' contexts, tokens
 * @param pairs sum over prefill chunks of `q·(ctx + q/2)`
 */
export function iterationMs(
  c: IterationConstants,
  tokens: number,
  decodes: number,
  decodeContext: number,
  pairs: number,
): number {
  return (
    Math.max(c.a0Ms + c.a1Ms * tokens, c.b0Ms + c.b1Ms * tokens) +
    c.hostMs +
    c.hostPerDecodeMs * decodes +
    c.kvMs * decodeContext +
    c.pairMs * pairs
  );
}

/**
 * `count` decode-only steps in a row, ms: each step adds one token to every context, so the sum
 * is quadratic in `count`.
 * @param decodeContext sum of contexts before the first step
 */
export function decodeStretchMs(
  c: IterationConstants,
  decodes: number,
  decodeContext: number,
  count: number,
): number {
  const first = iterationMs(c, decodes, decodes, decodeContext, 0);
  return count * first + (c.kvMs * decodes * count * (count - 1)) / 2;
}

/** How many whole decode-only steps fit into `ms`: the inverse of `decodeStretchMs`, rounded down. */
export function decodeStepsWithin(
  c: IterationConstants,
  decodes: number,
  decodeContext: number,
  ms: number,
): number {
  if (ms <= 0) return 0;
  const first = iterationMs(c, decodes, decodes, decodeContext, 0);
  const half = (c.kvMs * decodes) / 2;
  const linear = first - half;
  let steps = Math.floor((2 * ms) / (linear + Math.sqrt(linear * linear + 4 * half * ms)));
  while (decodeStretchMs(c, decodes, decodeContext, steps + 1) <= ms) steps += 1;
  while (steps > 0 && decodeStretchMs(c, decodes, decodeContext, steps) > ms) steps -= 1;
  return steps;
}

/** Prefill of `tokens` on top of `context` cached ones by an otherwise idle replica, ms. */
export function idlePrefillMs(
  c: IterationConstants,
  tokens: number,
  context: number,
  tokenBudget: number,
): number {
  let total = 0;
  let at = context;
  for (let left = tokens; left > 0;) {
    const chunk = Math.min(left, tokenBudget);
    total += iterationMs(c, chunk, 0, 0, chunk * (at + chunk / 2));
    at += chunk;
    left -= chunk;
  }
  return total;
}

/** An engine that takes `factor` times as long for everything. */
export function slowed(c: IterationConstants, factor: number): IterationConstants {
  return {
    name: `${c.name} ×${factor}`,
    a0Ms: c.a0Ms * factor,
    a1Ms: c.a1Ms * factor,
    b0Ms: c.b0Ms * factor,
    b1Ms: c.b1Ms * factor,
    hostMs: c.hostMs * factor,
    hostPerDecodeMs: c.hostPerDecodeMs * factor,
    kvMs: c.kvMs * factor,
    pairMs: c.pairMs * factor,
  };
}
