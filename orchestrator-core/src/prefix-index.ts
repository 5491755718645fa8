/**
 * What each replica of a pool probably has in its prefix cache. It is told of dispatches and reads no
 * engine state: what is in flight counts at once, and a scrape would be late. A replica costs 32
 * bytes an entry, 1 MiB at most with the default bound, and as much of it as was ever used.
 *
 * Each replica has a list of its own. One table for all, from a hash to the replicas that have it,
 * would answer `matchAll` in a microsecond, not in five to ten (64 replicas, all full). But each
 * replica's order of use needs a record per holder all the same, and forgetting a replica would be a
 * walk over all that it held. Each search starts at the depth found on the replica before, since most
 * replicas share with a new task nothing, or the same system prompt.
 */
import { tokensUpTo, type PromptPrefix } from './prompt-prefix.ts';
import { ReplicaPrefixes, type ExpectedReuse } from './replica-prefixes.ts';

const DEFAULT_MAX_ENTRIES = 32_768;
/** Changes remembered: who looks again after more of them searches every replica. */
const MAX_CHANGES = 32;

/** What the replicas have of one prompt, kept by whoever asks again and again. */
export interface PrefixHits {
  /** The index's count of changes when it was right. */
  asOf: number;
  /** Tokens by replica, without those that have nothing. */
  readonly tokens: Map<string, number>;
}

export class PrefixIndex {
  readonly #maxEntries: number;
  readonly #replicas = new Map<string, ReplicaPrefixes>();
  #lives = 0;
  /** The replicas that changed last, in a ring. */
  readonly #changed: string[] = [];
  #changes = 0;

  /** @param maxEntries places held for one replica, whatever its capacity */
  constructor(maxEntries = DEFAULT_MAX_ENTRIES) {
    this.#maxEntries = maxEntries;
  }

  /**
   * Adds a replica, or changes how many tokens its cache may hold. Repeating the same figure keeps
   * what is believed about it.
   * @throws RangeError when the capacity is negative or not a number
   */
  resize(replicaId: string, capacityTokens: number): void {
    if (!(capacityTokens >= 0)) throw new RangeError(`a cache of ${capacityTokens} tokens`);
    this.#noteChange(replicaId);
    const replica = this.#replicas.get(replicaId);
    if (replica !== undefined) {
      replica.resize(capacityTokens);
      return;
    }
    this.#lives += 1;
    const created = new ReplicaPrefixes(this.#lives, this.#maxEntries, capacityTokens);
    this.#replicas.set(replicaId, created);
  }

  /** The replica is lost, or has started again with nothing: `resize` adds it anew. */
  forget(replicaId: string): void {
    this.#noteChange(replicaId);
    this.#replicas.delete(replicaId);
  }

  /** Tokens of the prompt that the replica probably has; 0 for one that was never added. */
  match(replicaId: string, prefix: PromptPrefix): number {
    const depth = this.#replicas.get(replicaId)?.depthOf(prefix.hashes, 0) ?? 0;
    return tokensUpTo(prefix, depth);
  }

  /** `match` for all replicas. Fills `into` anew with those that have something. */
  matchAll(prefix: PromptPrefix, into: Map<string, number>): void {
    into.clear();
    let depth = 0;
    for (const [replicaId, replica] of this.#replicas) {
      depth = replica.depthOf(prefix.hashes, depth);
      if (depth > 0) into.set(replicaId, tokensUpTo(prefix, depth));
    }
  }

  /** Looks for the prompt again on those replicas that changed since `hits` was right. */
  refresh(prefix: PromptPrefix, hits: PrefixHits): void {
    const missed = this.#changes - hits.asOf;
    hits.asOf = this.#changes;
    if (missed > MAX_CHANGES) return this.matchAll(prefix, hits.tokens);
    for (let back = missed; back > 0; back -= 1) {
      const replicaId = this.#changed[(this.#changes - back) % MAX_CHANGES] ?? '';
      const tokens = this.match(replicaId, prefix);
      if (tokens > 0) hits.tokens.set(replicaId, tokens);
      else hits.tokens.delete(replicaId);
    }
  }

  /**
   * The replica was given the prompt, or has written the output that ends it.
   * @returns what it was expected to have of it before; for `correct`
   */
  insert(replicaId: string, prefix: PromptPrefix): ExpectedReuse | undefined {
    this.#noteChange(replicaId);
    return this.#replicas.get(replicaId)?.insert(prefix);
  }

  /**
   * Learns the replica's real capacity from what its engine found cached. Only for engines that
   * report it, and not for requests that asked them not to reuse anything.
   */
  correct(replicaId: string, expected: ExpectedReuse, cachedTokens: number): void {
    this.#noteChange(replicaId);
    this.#replicas.get(replicaId)?.correct(expected, cachedTokens);
  }

  #noteChange(replicaId: string): void {
    this.#changed[this.#changes % MAX_CHANGES] = replicaId;
    this.#changes += 1;
  }
}
