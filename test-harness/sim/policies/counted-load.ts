/**
 * Load as a router counts it: exact for what it sent and what came back, an estimate for what
 * happens in between. Waiting lines and KV use come from the engines' metrics, late.
 */
import { hitTokens, PrefixCache } from '../prefix-cache.ts';
import type { Fleet, ReplicaFacts, RouterRequest } from '../policy.ts';
import type { LoadView } from './load-view.ts';

interface Pending {
  readonly requestId: number;
  readonly promptTokens: number;
  readonly uncachedTokens: number;
  readonly cachedTokens: number;
}

interface Counts {
  readonly facts: ReplicaFacts;
  /** The blocks of the prompts sent there, forgotten in the order the replica would. */
  readonly mirror: PrefixCache;
  /** Sent and without a first token, in the order sent. */
  pending: Pending[];
  pendingTokens: number;
  /** Since when the oldest pending request can have been worked on. */
  headSinceMs: number;
  readonly decoding: Map<number, number>;
  decodingPromptTokens: number;
}

/** Weight of the newest answer in the running mean of output lengths. */
const OUTPUT_MEAN_GAIN = 0.02;

export class CountedLoad implements LoadView {
  readonly #fleet: Fleet;
  readonly #counts: readonly Counts[];
  #meanOutputTokens = 200;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#counts = fleet.replicas.map((facts) => ({
      facts,
      mirror: new PrefixCache(facts.cacheTokens),
      pending: [],
      pendingTokens: 0,
      headSinceMs: 0,
      decoding: new Map(),
      decodingPromptTokens: 0,
    }));
  }

  requests(replica: number): number {
    const { pending, decoding } = this.#of(replica);
    return pending.length + decoding.size;
  }

  waiting(replica: number): number {
    return this.#fleet.signals(replica).waiting;
  }

  kvTokens(replica: number): number {
    return this.#fleet.signals(replica).kvTokens;
  }

  /** The oldest pending prompt counts as advancing at the replica's nominal speed. */
  unstartedTokens(replica: number): number {
    const { facts, pending, pendingTokens, headSinceMs } = this.#of(replica);
    const head = pending[0];
    if (head === undefined) return 0;
    const advanced = prefilledWithin(facts, head.cachedTokens, this.#fleet.nowMs - headSinceMs);
    return pendingTokens - Math.min(advanced, head.uncachedTokens);
  }

  decodes(replica: number): number {
    return this.#of(replica).decoding.size;
  }

  /** Each answer is taken to be half done. */
  decodeContext(replica: number): number {
    const { decoding, decodingPromptTokens } = this.#of(replica);
    return decodingPromptTokens + (decoding.size * this.#meanOutputTokens) / 2;
  }

  /** Half a decode-only step; a prefill step is in the count of unstarted tokens. */
  stepLeftMs(replica: number): number {
    const { facts, pending, decoding } = this.#of(replica);
    if (pending.length > 0 || decoding.size === 0) return 0;
    return facts.constants.a0Ms / 2;
  }

  hitTokens(request: RouterRequest, replica: number): number {
    const matched = this.#of(replica).mirror.matchBlocks(request.blocks);
    return hitTokens(request.promptTokens, matched);
  }

  isOpen(request: RouterRequest, replica: number): boolean {
    const { facts, pending, decodingPromptTokens } = this.#of(replica);
    let promised = decodingPromptTokens + request.promptTokens;
    for (const { promptTokens } of pending) promised += promptTokens;
    const requests = this.requests(replica) + 1;
    return (
      requests <= facts.slots && promised + requests * this.#meanOutputTokens <= facts.kvTokens
    );
  }

  sent(request: RouterRequest, replica: number): void {
    const counts = this.#of(replica);
    const { id: requestId, promptTokens } = request;
    const cachedTokens = this.hitTokens(request, replica);
    const uncachedTokens = promptTokens - cachedTokens;
    if (counts.pending.length === 0) counts.headSinceMs = this.#fleet.nowMs;
    counts.pending.push({ requestId, promptTokens, uncachedTokens, cachedTokens });
    counts.pendingTokens += uncachedTokens;
    counts.mirror.touch(request.blocks);
  }

  firstToken(requestId: number, replica: number): void {
    const counts = this.#of(replica);
    const sent = counts.pending.find((pending) => pending.requestId === requestId);
    if (sent === undefined) return;
    counts.pending = counts.pending.filter((pending) => pending !== sent);
    counts.pendingTokens -= sent.uncachedTokens;
    counts.headSinceMs = this.#fleet.nowMs;
    counts.decoding.set(requestId, sent.promptTokens);
    counts.decodingPromptTokens += sent.promptTokens;
  }

  finished(requestId: number, replica: number, outputTokens: number): void {
    const counts = this.#of(replica);
    counts.decodingPromptTokens -= counts.decoding.get(requestId) ?? 0;
    counts.decoding.delete(requestId);
    this.#meanOutputTokens += OUTPUT_MEAN_GAIN * (outputTokens - this.#meanOutputTokens);
  }

  #of(replica: number): Counts {
    const counts = this.#counts[replica];
    if (counts === undefined) throw new RangeError(`there is no replica ${replica}`);
    return counts;
  }
}

/** Tokens that full steps prefill in `ms` on top of `context`: attention makes each one dearer. */
function prefilledWithin({ constants, tokenBudget }: ReplicaFacts, context: number, ms: number) {
  const { b0Ms, b1Ms, hostMs, pairMs } = constants;
  const perTokenMs = b1Ms + (b0Ms + hostMs) / tokenBudget + pairMs * context;
  return (2 * ms) / (perTokenMs + Math.sqrt(perTokenMs * perTokenMs + 2 * pairMs * ms));
}
