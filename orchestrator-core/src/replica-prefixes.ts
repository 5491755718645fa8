/**
 * What one replica probably has in its prefix cache: the beginnings of the prompts it was given, as
 * far as they fit, least recently used forgotten first.
 *
 * A beginning is never held without the shorter ones: using a prompt moves its places to the front of
 * the list from the deepest to the first, so each stays ahead of all that continue it, and what goes
 * from the back is a leaf. That makes the depth of a match searchable instead of walkable.
 *
 * Two different beginnings with one hash (32 bits: about 1 in 130,000 for each look into 32,768
 * entries) break this where they meet. `depthOf` therefore asks for the place before its answer as
 * well, and walks where that is missing, so it takes two such accidents at once to claim more than
 * one place too much. All that such an error can cost is a worse choice of a replica.
 */
import { HashTable } from './hash-table.ts';
import { tokensUpTo, type PromptPrefix } from './prompt-prefix.ts';

/** What a replica was expected to have of a prompt when it was given it; for `correct`. */
export interface ExpectedReuse {
  /** Prompt tokens believed to be cached. */
  readonly tokens: number;
  /** Which life of the replica this is about. */
  readonly life: number;
  /** When the deepest of what was believed had been used before, on the replica's use counter. */
  readonly lastUse: number;
  /** The use counter at the dispatch. */
  readonly asOf: number;
}

/** Estimated tokens are this far off: less than this share of what was expected is a shortfall. */
const CONFIRMED = 0.75;
/** One shortfall costs at most this share of what is believed: it may have had another cause. */
const MAX_LOSS = 1 / 8;
/**
 * What is given back when something old is found, as a share of how old it is: of the whole capacity
 * at most. Where that is usual, up to one shortfall in five for another reason is outgrown.
 */
const RECOVERY = 1 / 32;

const NONE = -1;

export class ReplicaPrefixes {
  readonly #life: number;
  readonly #maxEntries: number;
  #limit: number;
  /** What it seems to hold really, at most the limit: the rest goes to outputs, or is not LRU at all. */
  #capacity: number;
  readonly #table: HashTable;
  /** By entry: the tokens between the place before and this one. */
  readonly #width: Int32Array;
  readonly #lastUse: Float64Array;
  /** The list, most recently used first. `#older` also chains the entries that are free. */
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  #newest = NONE;
  #oldest = NONE;
  #free = NONE;
  #made = 0;
  #size = 0;
  #tokens = 0;
  /** Counts uses by the tokens that were new in them: what came in since a time is a difference. */
  #uses = 0;

  /** @param life differs from that of any other replica and of earlier lives of this one */
  constructor(life: number, maxEntries: number, capacityTokens: number) {
    this.#life = life;
    this.#maxEntries = maxEntries;
    this.#limit = capacityTokens;
    this.#capacity = capacityTokens;
    this.#table = new HashTable(maxEntries);
    this.#width = new Int32Array(maxEntries);
    this.#lastUse = new Float64Array(maxEntries);
    this.#newer = new Int32Array(maxEntries);
    this.#older = new Int32Array(maxEntries);
  }

  /** Places held. */
  get size(): number {
    return this.#size;
  }
  /** Tokens of the places held. */
  get tokens(): number {
    return this.#tokens;
  }
  /** Tokens it is believed to be able to hold. */
  get capacityTokens(): number {
    return this.#capacity;
  }

  /** Another limit than before also discards what was learned about the capacity. */
  resize(capacityTokens: number): void {
    if (capacityTokens === this.#limit) return;
    this.#limit = capacityTokens;
    this.#capacity = capacityTokens;
    while (this.#tokens > capacityTokens) this.#evictOldest();
  }

  /**
   * How many places of a prompt are held, from its first on. O(log distance) from `guess`, which may
   * be the depth on a similar replica.
   */
  depthOf(hashes: readonly number[], guess: number): number {
    // Places are counted from 1; place 0 is always held and the one after the last never.
    let held = Math.min(guess, hashes.length);
    let missing = held + 1;
    if (this.#holds(hashes, held)) {
      for (let step = 1; missing <= hashes.length && this.#holds(hashes, missing); step *= 2) {
        held = missing;
        missing = Math.min(held + step, hashes.length + 1);
      }
    } else {
      for (let step = 1; !this.#holds(hashes, held); step *= 2) {
        missing = held;
        held = Math.max(held - step, 0);
      }
    }
    while (missing - held > 1) {
      const middle = (held + missing) >>> 1;
      if (this.#holds(hashes, middle)) held = middle;
      else missing = middle;
    }
    return this.#holds(hashes, held - 1) ? held : this.#walk(hashes);
  }

  /**
   * The replica was given the prompt, so it will have all of it, as far as it fits. O(places),
   * amortised over what has to go for it.
   */
  insert(prefix: PromptPrefix): ExpectedReuse {
    const { hashes } = prefix;
    const depth = this.depthOf(hashes, 0);
    const expected: ExpectedReuse = {
      tokens: tokensUpTo(prefix, depth),
      life: this.#life,
      lastUse: depth === 0 ? 0 : (this.#lastUse[this.#find(hashes, depth)] ?? 0),
      asOf: this.#uses,
    };
    let place = Math.min(hashes.length, this.#maxEntries);
    while (tokensUpTo(prefix, place) > this.#capacity) place -= 1;
    let end = tokensUpTo(prefix, place);
    // At least 1, so that two uses never look simultaneous.
    this.#uses += Math.max(1, end - expected.tokens);
    for (; place > 0; place -= 1) {
      const start = tokensUpTo(prefix, place - 1);
      this.#use(hashes[place - 1] ?? 0, end - start);
      end = start;
    }
    return expected;
  }

  /**
   * Learns from what the engine found cached of a prompt. Where something is missing, what was used
   * no later is gone as well, and what was used later and is still held fills the cache: that is its
   * capacity.
   * @param cachedTokens as counted by the engine
   */
  correct(expected: ExpectedReuse, cachedTokens: number): void {
    if (expected.life !== this.#life) return;
    if (cachedTokens >= CONFIRMED * expected.tokens) {
      if (cachedTokens > 0) this.#recover(expected, cachedTokens);
      return;
    }
    const believed = Math.min(this.#capacity, this.#tokens);
    const floor = Math.ceil(believed * (1 - MAX_LOSS));
    while (this.#tokens > floor && (this.#lastUse[this.#oldest] ?? Infinity) <= expected.lastUse) {
      this.#evictOldest();
    }
    const cameSince = this.#uses - expected.asOf;
    this.#capacity = Math.max(floor, Math.min(this.#tokens - cameSince, believed));
    while (this.#tokens > this.#capacity) this.#evictOldest();
  }

  /** Finding what has just been used says nothing about the capacity; what is old or was given up does. */
  #recover(expected: ExpectedReuse, cachedTokens: number): void {
    const wasGivenUp = CONFIRMED * cachedTokens > expected.tokens;
    const age = wasGivenUp ? Infinity : expected.asOf - expected.lastUse;
    const recovered = this.#capacity + RECOVERY * Math.min(age, this.#capacity);
    this.#capacity = Math.min(Math.floor(Math.max(recovered, cachedTokens)), this.#limit);
  }

  #walk(hashes: readonly number[]): number {
    let place = 0;
    while (place < hashes.length && this.#holds(hashes, place + 1)) place += 1;
    return place;
  }

  #holds(hashes: readonly number[], place: number): boolean {
    return place <= 0 || this.#find(hashes, place) !== NONE;
  }

  #find(hashes: readonly number[], place: number): number {
    return this.#table.find(hashes[place - 1] ?? 0);
  }

  #use(hash: number, width: number): void {
    let entry = this.#table.find(hash);
    if (entry === NONE) {
      while (this.#size === this.#maxEntries || this.#tokens + width > this.#capacity) {
        this.#evictOldest();
      }
      entry = this.#takeFree();
      this.#table.add(hash, entry);
      this.#width[entry] = width;
      this.#size += 1;
      this.#tokens += width;
    } else {
      this.#unlink(entry);
    }
    this.#lastUse[entry] = this.#uses;
    this.#newer[entry] = NONE;
    this.#older[entry] = this.#newest;
    if (this.#newest === NONE) this.#oldest = entry;
    else this.#newer[this.#newest] = entry;
    this.#newest = entry;
  }

  #evictOldest(): void {
    const entry = this.#oldest;
    this.#unlink(entry);
    this.#table.remove(entry);
    this.#older[entry] = this.#free;
    this.#free = entry;
    this.#size -= 1;
    this.#tokens -= this.#width[entry] ?? 0;
  }

  #takeFree(): number {
    if (this.#free === NONE) return this.#made++;
    const entry = this.#free;
    this.#free = this.#older[entry] ?? NONE;
    return entry;
  }

  #unlink(entry: number): void {
    const newer = this.#newer[entry] ?? NONE;
    const older = this.#older[entry] ?? NONE;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
  }
}
