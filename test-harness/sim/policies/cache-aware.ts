/** The cache-aware rules of published routers, with their published parameters. */
import type { NamedPolicy, RouterRequest } from '../policy.ts';
import { BLOCK_TOKENS } from '../prefix-cache.ts';
import { createLoadView, type LoadView } from './load-view.ts';
import { leastOf, pushTo, TIE_BREAK } from './push.ts';

const SGLANG = { cacheThreshold: 0.3, balanceAbs: 64, balanceRel: 1.5 };

export const sglangCacheAware: NamedPolicy = {
  name: 'sglang',
  about:
    'SGLang gateway: best prefix match over 0.3, fewest requests when out of balance (64, 1.5)',
  create: pushTo((fleet, load) => (request) => {
    const count = fleet.replicas.length;
    const fewest = leastOf(count, (replica) => load.requests(replica));
    const most = leastOf(count, (replica) => -load.requests(replica));
    const least = load.requests(fewest);
    const greatest = load.requests(most);
    if (greatest - least > SGLANG.balanceAbs && greatest > SGLANG.balanceRel * least) {
      return fewest;
    }
    const best = bestMatch(count, load, request);
    const share = load.hitTokens(request, best) / request.promptTokens;
    return share > SGLANG.cacheThreshold ? best : fewest;
  }),
};

const LLMD_WEIGHTS = { queue: 2, kv: 2, prefix: 3 };

export const llmdBlend: NamedPolicy = {
  name: 'llmd-blend',
  about: 'llm-d chart: 3 × prefix match + 2 × short queue + 2 × free KV',
  create: pushTo((fleet, load) => (request) => {
    const queues = fleet.replicas.map(({ index }) => load.requests(index));
    const shortest = Math.min(...queues);
    const spread = Math.max(...queues) - shortest;
    return leastOf(fleet.replicas.length, (replica) => {
      const queue = spread === 0 ? 1 : 1 - ((queues[replica] ?? 0) - shortest) / spread;
      const kv = 1 - load.kvTokens(replica) / (fleet.replicas[replica]?.kvTokens ?? 1);
      const prefix = load.hitTokens(request, replica) / request.promptTokens;
      return -(LLMD_WEIGHTS.queue * queue + LLMD_WEIGHTS.kv * kv + LLMD_WEIGHTS.prefix * prefix);
    });
  }),
};

/** Tokens that an A100 of the model prefills in a second at best, and seconds of imbalance allowed. */
const STICKY = { matchShare: 0.8, peakTokensPerS: 14_000, maxImbalanceS: 1 };

export const llmdSticky: NamedPolicy = {
  name: 'llmd-sticky',
  about: 'llm-d sticky-until-saturated: a replica with 80 % of the prefix unless a second behind',
  create: pushTo((fleet, load) => (request) => {
    const count = fleet.replicas.length;
    const coldest = load.unstartedTokens(
      leastOf(count, (replica) => load.unstartedTokens(replica)),
    );
    const limit = coldest + STICKY.peakTokensPerS * STICKY.maxImbalanceS;
    const isSticky = (replica: number) =>
      load.hitTokens(request, replica) >= STICKY.matchShare * request.promptTokens &&
      load.unstartedTokens(replica) <= limit;
    const anySticky = fleet.replicas.some(({ index }) => isSticky(index));
    return leastOf(count, (replica) =>
      anySticky && !isSticky(replica)
        ? Infinity
        : load.unstartedTokens(replica) -
          load.hitTokens(request, replica) +
          TIE_BREAK * load.requests(replica),
    );
  }),
};

export const dynamo: NamedPolicy = {
  name: 'dynamo',
  about: 'Dynamo KV router: least tokens to prefill + distinct blocks in use, weight 1',
  create(fleet) {
    const load = createLoadView(fleet);
    const inUse = fleet.replicas.map(() => new BlocksInUse());
    const requests = new Map<number, RouterRequest>();
    return {
      arrived(request) {
        const replica = leastOf(fleet.replicas.length, (index) => {
          const prefill =
            load.unstartedTokens(index) + request.promptTokens - load.hitTokens(request, index);
          return prefill / BLOCK_TOKENS + (inUse[index]?.countWith(request) ?? 0);
        });
        requests.set(request.id, request);
        inUse[replica]?.add(request);
        load.sent(request, replica);
        fleet.dispatch(request.id, replica);
      },
      firstToken: (requestId, replica) => load.firstToken(requestId, replica),
      finished(requestId, replica, usage) {
        load.finished(requestId, replica, usage.outputTokens);
        const request = requests.get(requestId);
        if (request !== undefined) inUse[replica]?.remove(request);
        requests.delete(requestId);
      },
    };
  },
};

/** Distinct prompt blocks of the requests on one replica. */
class BlocksInUse {
  readonly #users = new Map<number, number>();
  /** Blocks of prompts without ids: shared with nobody. */
  #anonymous = 0;

  countWith(request: RouterRequest): number {
    let added = anonymousBlocks(request);
    for (const id of request.blocks) if (!this.#users.has(id)) added += 1;
    return this.#users.size + this.#anonymous + added;
  }

  add(request: RouterRequest): void {
    this.#anonymous += anonymousBlocks(request);
    for (const id of request.blocks) this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
  }

  remove(request: RouterRequest): void {
    this.#anonymous -= anonymousBlocks(request);
    for (const id of request.blocks) {
      const left = (this.#users.get(id) ?? 0) - 1;
      if (left > 0) this.#users.set(id, left);
      else this.#users.delete(id);
    }
  }
}

function anonymousBlocks(request: RouterRequest): number {
  return request.blocks.length > 0 ? 0 : Math.ceil(request.promptTokens / BLOCK_TOKENS);
}

/** The most cached tokens; of equals the fewest requests. */
function bestMatch(count: number, load: LoadView, request: RouterRequest): number {
  return leastOf(
    count,
    (replica) => TIE_BREAK * load.requests(replica) - load.hitTokens(request, replica),
  );
}
