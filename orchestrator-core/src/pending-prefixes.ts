/**
 * Beginnings of prompts that a replica is still computing. Another prompt that begins alike will find
 * them in the cache, but only once they are there: engines look when they take a prompt in, so one that
 * comes along too early computes it all again.
 */
import { tokensUpTo, type PromptPrefix } from './prompt-prefix.ts';

interface Pending {
  readonly prefix: PromptPrefix;
  /** What the replica was believed to have of it before, tokens. */
  readonly knownTokens: number;
}

export class PendingPrefixes {
  readonly #byTask = new Map<string, Pending>();

  add(taskId: string, prefix: PromptPrefix, knownTokens: number): void {
    this.#byTask.set(taskId, { prefix, knownTokens });
  }

  /** It is computed, or never will be. */
  remove(taskId: string): void {
    this.#byTask.delete(taskId);
  }

  /** Whether more of the prompt will be cached once those under way are computed. O(log places) each. */
  hasPartOf(prefix: PromptPrefix): boolean {
    for (const { prefix: other, knownTokens } of this.#byTask.values()) {
      if (tokensUpTo(prefix, sharedPlaces(prefix, other)) > knownTokens) return true;
    }
    return false;
  }
}

/** Each hash stands for all before it, so that equal ones come first and can be searched. */
function sharedPlaces({ hashes: a }: PromptPrefix, { hashes: b }: PromptPrefix): number {
  let equal = 0;
  let unequal = Math.min(a.length, b.length) + 1;
  while (unequal - equal > 1) {
    const middle = (equal + unequal) >>> 1;
    if (a[middle - 1] === b[middle - 1]) equal = middle;
    else unequal = middle;
  }
  return equal;
}
