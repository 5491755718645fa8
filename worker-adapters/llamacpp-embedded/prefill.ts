/**
 * Byte-exact prefix reuse. llama.cpp's float results depend on how many tokens share a batch, so a
 * prompt is always evaluated in the same batches: `chunk` tokens each, cut at multiples of `chunk`
 * from position 0, the rest as one shorter batch. A later prompt may keep only what whole chunks
 * computed for the very same tokens; all else is computed again. A warm run is then the cold run
 * with its first batches left out, and every bit after them is the same.
 */

/** How many leading positions of `prompt` need no evaluation, given the `canonical` tokens a slot holds. */
export function reusablePositions(
  canonical: readonly number[],
  prompt: readonly number[],
  chunk: number,
): number {
  // The last prompt token is always evaluated: sampling needs its logits.
  const limit = Math.min(canonical.length, prompt.length - 1);
  let common = 0;
  while (common < limit && canonical[common] === prompt[common]) common += 1;
  return common - (common % chunk);
}

/** The batches a prompt is evaluated in from position `from`, a multiple of `chunk`. */
export function prefillChunks(prompt: readonly number[], from: number, chunk: number): number[][] {
  const chunks: number[][] = [];
  for (let at = from; at < prompt.length; at += chunk) chunks.push(prompt.slice(at, at + chunk));
  return chunks;
}

/**
 * How many positions of a slot holding `evaluated` tokens, the first `prompt` of them prefilled, may
 * be reused. Generated tokens were evaluated one by one, which is canonical only for chunks of one.
 */
export function canonicalPositions(prompt: number, evaluated: number, chunk: number): number {
  if (chunk === 1) return evaluated;
  const prefilled = Math.min(prompt, evaluated);
  return prefilled - (prefilled % chunk);
}
