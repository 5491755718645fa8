/** Prompts for the tests of the prefix index: text with hashes that never collide. */
import fc from 'fast-check';
import { blocksUpTo, tokensUpTo, type PromptPrefix } from '../prompt-prefix.ts';

/** A prompt as one character a block. */
export type Blocks = string;

/** Gives equal beginnings the same number, and different ones different numbers. */
export class Numbering {
  readonly #numbers = new Map<string, number>();

  prefixOf(blocks: Blocks, blockTokens = 1): PromptPrefix {
    const hashes: number[] = [];
    for (let count = 1; blocksUpTo(count) <= blocks.length; count += 1) {
      const beginning = blocks.slice(0, blocksUpTo(count));
      const number = this.#numbers.get(beginning) ?? this.#numbers.size;
      this.#numbers.set(beginning, number);
      hashes.push(number);
    }
    return { blockTokens, hashes };
  }
}

/** Few letters in few runs, so that prompts share beginnings of all lengths. */
export const someBlocks: fc.Arbitrary<Blocks> = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 40 })), {
    minLength: 1,
    maxLength: 6,
  })
  .map((runs) => runs.map(([letter, length]) => letter.repeat(length)).join(''));

interface Held {
  readonly hash: number;
  readonly width: number;
  readonly lastUse: number;
}

/** The same promises as `ReplicaPrefixes`, kept in the plainest way. */
export class NaivePrefixes {
  /** Most recently used first. */
  held: readonly Held[] = [];
  capacity: number;
  #uses = 0;
  readonly #maxEntries: number;
  #limit: number;

  constructor(maxEntries: number, capacityTokens: number) {
    this.#maxEntries = maxEntries;
    this.#limit = capacityTokens;
    this.capacity = capacityTokens;
  }

  get tokens(): number {
    return this.held.reduce((sum, { width }) => sum + width, 0);
  }

  resize(capacityTokens: number): void {
    if (capacityTokens === this.#limit) return;
    this.#limit = capacityTokens;
    this.capacity = capacityTokens;
    this.#shrinkTo(capacityTokens);
  }

  match(prefix: PromptPrefix): number {
    const missing = prefix.hashes.findIndex((hash) => !this.#find(hash));
    return tokensUpTo(prefix, missing < 0 ? prefix.hashes.length : missing);
  }

  insert(prefix: PromptPrefix): { tokens: number; lastUse: number; asOf: number } {
    const tokens = this.match(prefix);
    const depth = prefix.hashes.findIndex((_, at) => tokensUpTo(prefix, at + 1) > tokens);
    const deepest = prefix.hashes[(depth < 0 ? prefix.hashes.length : depth) - 1];
    const lastUse = deepest === undefined ? 0 : (this.#find(deepest)?.lastUse ?? 0);
    const asOf = this.#uses;
    const used = prefix.hashes
      .slice(0, this.#maxEntries)
      .map((hash, at) => ({
        hash,
        width: tokensUpTo(prefix, at + 1) - tokensUpTo(prefix, at),
      }))
      .filter((_, at) => tokensUpTo(prefix, at + 1) <= this.capacity);
    this.#uses += Math.max(1, tokensUpTo(prefix, used.length) - tokens);
    const others = this.held.filter(({ hash }) => !used.some((other) => other.hash === hash));
    this.held = [...used.map((entry) => ({ ...entry, lastUse: this.#uses })), ...others];
    this.#shrinkTo(this.capacity);
    return { tokens, lastUse, asOf };
  }

  correct(expected: { tokens: number; lastUse: number; asOf: number }, cached: number): void {
    if (cached >= 0.75 * expected.tokens) {
      if (cached === 0) return;
      const age = 0.75 * cached > expected.tokens ? Infinity : expected.asOf - expected.lastUse;
      const recovered = this.capacity + Math.min(age, this.capacity) / 32;
      this.capacity = Math.min(Math.floor(Math.max(recovered, cached)), this.#limit);
      return;
    }
    const believed = Math.min(this.capacity, this.tokens);
    const floor = Math.ceil((believed * 7) / 8);
    while (this.tokens > floor && (this.held.at(-1)?.lastUse ?? Infinity) <= expected.lastUse) {
      this.held = this.held.slice(0, -1);
    }
    const survived = this.tokens - (this.#uses - expected.asOf);
    this.capacity = Math.max(floor, Math.min(survived, believed));
    this.#shrinkTo(this.capacity);
  }

  #find(hash: number): Held | undefined {
    return this.held.find((entry) => entry.hash === hash);
  }

  #shrinkTo(tokens: number): void {
    while (this.tokens > tokens || this.held.length > this.#maxEntries) {
      this.held = this.held.slice(0, -1);
    }
  }
}
