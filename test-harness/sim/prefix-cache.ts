/**
 * The prefix cache of one replica: KV blocks by id, least recently used out first. An id stands for
 * the whole prefix up to and including its block, so a prompt's hit is the run of leading ids that
 * are present.
 */

/** Tokens of prompt that one block id covers, as in the Mooncake traces. */
export const BLOCK_TOKENS = 512;

interface Entry {
  readonly id: number;
  older: Entry | undefined;
  newer: Entry | undefined;
}

export class PrefixCache {
  readonly #capacityBlocks: number;
  readonly #entries = new Map<number, Entry>();
  #oldest: Entry | undefined;
  #newest: Entry | undefined;

  /** @param capacityTokens may be Infinity; less than a block switches the cache off */
  constructor(capacityTokens: number) {
    this.#capacityBlocks = Math.floor(capacityTokens / BLOCK_TOKENS);
  }

  get sizeBlocks(): number {
    return this.#entries.size;
  }

  /** How many leading blocks are present. Does not count as use. */
  matchBlocks(blocks: readonly number[]): number {
    let matched = 0;
    for (const id of blocks) {
      if (!this.#entries.has(id)) break;
      matched += 1;
    }
    return matched;
  }

  /**
   * Makes the first `count` blocks the most recently used, adding the missing ones. The tail of a
   * prefix counts as older than its head, since it is of no use without it.
   */
  touch(blocks: readonly number[], count = blocks.length): void {
    if (this.#capacityBlocks === 0) return;
    for (let at = count - 1; at >= 0; at -= 1) {
      const id = blocks[at];
      if (id !== undefined) this.#touchOne(id);
    }
    while (this.#entries.size > this.#capacityBlocks && this.#oldest !== undefined) {
      this.#entries.delete(this.#oldest.id);
      this.#unlink(this.#oldest);
    }
  }

  #touchOne(id: number): void {
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = { id, older: undefined, newer: undefined };
      this.#entries.set(id, entry);
    } else {
      if (entry === this.#newest) return;
      this.#unlink(entry);
    }
    entry.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink(entry: Entry): void {
    const { older, newer } = entry;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    entry.older = undefined;
    entry.newer = undefined;
  }
}

/** Tokens of a prompt that `matched` leading blocks spare. The last token is always computed. */
export function hitTokens(promptTokens: number, matched: number): number {
  return Math.max(0, Math.min(matched * BLOCK_TOKENS, promptTokens - 1));
}
