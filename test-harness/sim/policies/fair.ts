/**
 * Fairness over tenants: one queue per tenant before all replicas, bound late. The rule says whose
 * head goes next; a head that fits nowhere is waited for and never skipped.
 */
import type { Fleet, NamedPolicy, RouterRequest } from '../policy.ts';
import { openReplica } from './central.ts';
import { createLoadView } from './load-view.ts';
import { RequestQueue } from './request-queue.ts';

/** Cost of a token of output in tokens of input: the weights of the VTC artifact. */
export const INPUT_WEIGHT = 1;
export const OUTPUT_WEIGHT = 2;

/** One tenant's turn is next when its rank is least; ties go to the tenant that came first. */
interface FairRule {
  rank(tenant: string, head: RouterRequest): number;
  /** The tenant had nothing waiting and has now. */
  returned(tenant: string, waiting: Iterable<string>): void;
  dispatched(tenant: string, request: RouterRequest): void;
  finished(tenant: string, request: RouterRequest, outputTokens: number): void;
}

function fair(name: string, about: string, createRule: (fleet: Fleet) => FairRule): NamedPolicy {
  return {
    name,
    about,
    create(fleet) {
      const load = createLoadView(fleet);
      const rule = createRule(fleet);
      const queues = new Map<string, RequestQueue>();
      const sent = new Map<number, RouterRequest>();
      const nextTenant = () => {
        let best: string | undefined;
        let least = Infinity;
        for (const [tenant, queue] of queues) {
          const rank = queue.first === undefined ? Infinity : rule.rank(tenant, queue.first);
          if (rank >= least) continue;
          least = rank;
          best = tenant;
        }
        return best;
      };
      const serve = () => {
        for (let tenant = nextTenant(); tenant !== undefined; tenant = nextTenant()) {
          const queue = queues.get(tenant);
          const head = queue?.first;
          if (queue === undefined || head === undefined) return;
          const replica = openReplica(fleet, load, head);
          if (replica === undefined) return;
          queue.takeFirst();
          sent.set(head.id, head);
          rule.dispatched(tenant, head);
          if (queue.size === 0) queues.delete(tenant);
          load.sent(head, replica);
          fleet.dispatch(head.id, replica);
        }
      };
      return {
        arrived(request) {
          const { tenant } = request;
          let queue = queues.get(tenant);
          if (queue === undefined) {
            rule.returned(tenant, queues.keys());
            queue = new RequestQueue();
            queues.set(tenant, queue);
          }
          queue.add(request.arrivalMs, request);
          serve();
        },
        firstToken(requestId, replica) {
          load.firstToken(requestId, replica);
          serve();
        },
        finished(requestId, replica, usage) {
          load.finished(requestId, replica, usage.outputTokens);
          const request = sent.get(requestId);
          if (request !== undefined) rule.finished(request.tenant, request, usage.outputTokens);
          sent.delete(requestId);
          serve();
        },
      };
    },
  };
}

export const vtc = fair(
  'vtc',
  'virtual token counter: the tenant served least, input + 2 × output, charged as it is made',
  (fleet) => {
    const charged = new Map<string, number>();
    const running = new Map<string, Set<number>>();
    const counter = (tenant: string) => {
      let produced = 0;
      for (const id of running.get(tenant) ?? []) produced += fleet.producedTokens(id);
      return (charged.get(tenant) ?? 0) + OUTPUT_WEIGHT * produced;
    };
    const charge = (tenant: string, tokens: number) =>
      charged.set(tenant, (charged.get(tenant) ?? 0) + tokens);
    return {
      rank: counter,
      returned(tenant, waiting) {
        const least = Math.min(...Array.from(waiting, counter));
        const lift = Number.isFinite(least) ? least - counter(tenant) : 0;
        if (lift > 0) charge(tenant, lift);
      },
      dispatched(tenant, request) {
        charge(tenant, INPUT_WEIGHT * request.promptTokens);
        const ids = running.get(tenant) ?? new Set();
        running.set(tenant, ids.add(request.id));
      },
      finished(tenant, request, outputTokens) {
        running.get(tenant)?.delete(request.id);
        charge(tenant, OUTPUT_WEIGHT * outputTokens);
      },
    };
  },
);

/** Answers of a tenant that the prediction of its next one is the mean of. */
const REMEMBERED_OUTPUTS = 5;
/** Taken for a tenant without an answer yet. */
const DEFAULT_OUTPUT_TOKENS = 200;

export const sfq = fair(
  'sfq',
  'start-time fair queueing on predicted cost: prompt + 2 × mean of the last five answers',
  () => {
    const finishTags = new Map<string, number>();
    const outputs = new Map<string, number[]>();
    let virtualTime = 0;
    const startTag = (tenant: string) => Math.max(virtualTime, finishTags.get(tenant) ?? 0);
    const predictedOutput = (tenant: string) => {
      const known = outputs.get(tenant);
      if (known === undefined) return DEFAULT_OUTPUT_TOKENS;
      return known.reduce((sum, tokens) => sum + tokens, 0) / known.length;
    };
    return {
      rank: startTag,
      returned() {},
      dispatched(tenant, request) {
        const start = startTag(tenant);
        const cost = INPUT_WEIGHT * request.promptTokens + OUTPUT_WEIGHT * predictedOutput(tenant);
        finishTags.set(tenant, start + cost);
        virtualTime = start;
      },
      finished(tenant, _request, outputTokens) {
        const known = outputs.get(tenant) ?? [];
        outputs.set(tenant, [...known, outputTokens].slice(-REMEMBERED_OUTPUTS));
      },
    };
  },
);

export const tenantRoundRobin = fair(
  'tenant-round-robin',
  'one request of each waiting tenant in turn',
  () => {
    const lastTurn = new Map<string, number>();
    let turn = 0;
    return {
      rank: (tenant) => lastTurn.get(tenant) ?? 0,
      returned() {},
      dispatched(tenant) {
        turn += 1;
        lastTurn.set(tenant, turn);
      },
      finished() {},
    };
  },
);
