/**
 * A prompt as the prefix index sees it: hashes of its beginnings at fixed places. Two prompts that
 * begin alike have equal hashes at all the places inside what they share.
 *
 * The places are the same for every prompt, at whole blocks: each of the first 64, then 32 to every
 * doubling. So what lies between the true end of a shared beginning and the last place inside it is
 * at most a block or 1/32 of its length, and a prompt of any length has few of them: 212 at 400 KB
 * and 384 at 16 MB with blocks of 256 bytes. Where they are need not be stored with the prompt.
 */
export interface PromptPrefix {
  /** Tokens in a block, estimated where the prompt was not tokenized; need not be whole. */
  readonly blockTokens: number;
  /**
   * 32 bits each, signed, so that engines keep them as small integers. `hashes[i]` stands for all of
   * the prompt up to `blocksUpTo(i + 1)`, not for the piece since the place before.
   */
  readonly hashes: readonly number[];
}

const PER_DOUBLING = 32;

/** Where the `count`-th place of any prompt is, in blocks from its start; 0 for none. */
export function blocksUpTo(count: number): number {
  if (count <= 2 * PER_DOUBLING) return count;
  const doublings = Math.trunc(count / PER_DOUBLING) - 1;
  return (PER_DOUBLING + (count % PER_DOUBLING)) * 2 ** doublings;
}

/** Tokens of the prompt up to its `count`-th place. */
export function tokensUpTo(prefix: PromptPrefix, count: number): number {
  return Math.floor(blocksUpTo(count) * prefix.blockTokens);
}
