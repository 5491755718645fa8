/** Policies that choose a replica on arrival, by one figure, and hold nothing back. */
import type { Fleet, NamedPolicy, Policy, RouterRequest } from '../policy.ts';
import { createLoadView, type LoadView } from './load-view.ts';
import { predictedTtftMs } from './predicted-ttft.ts';

/** Chooses a replica for an arrival. */
export type Choice = (request: RouterRequest) => number;

/** A policy that sends every arrival to the chosen replica at once. */
export function pushTo(createChoice: (fleet: Fleet, load: LoadView) => Choice) {
  return (fleet: Fleet): Policy => {
    const load = createLoadView(fleet);
    const choose = createChoice(fleet, load);
    return {
      arrived(request) {
        const replica = choose(request);
        load.sent(request, replica);
        fleet.dispatch(request.id, replica);
      },
      firstToken: (requestId, replica) => load.firstToken(requestId, replica),
      finished: (requestId, replica, usage) =>
        load.finished(requestId, replica, usage.outputTokens),
    };
  };
}

/** The index of the least cost; the first of equals. */
export function leastOf(count: number, cost: (index: number) => number): number {
  let best = 0;
  let least = Infinity;
  for (let index = 0; index < count; index += 1) {
    const value = cost(index);
    if (value < least) {
      least = value;
      best = index;
    }
  }
  return best;
}

/** Weight that lets a request count decide between equal token counts, and nothing else. */
export const TIE_BREAK = 1e-6;

export const roundRobin: NamedPolicy = {
  name: 'round-robin',
  about: 'first come, first served; the replicas in turn',
  create(fleet) {
    let turn = 0;
    return {
      arrived(request) {
        fleet.dispatch(request.id, turn);
        turn = (turn + 1) % fleet.replicas.length;
      },
    };
  },
};

export const leastRequests: NamedPolicy = {
  name: 'least-requests',
  about: 'the replica with the fewest requests',
  create: pushTo(
    (fleet, load) => () => leastOf(fleet.replicas.length, (replica) => load.requests(replica)),
  ),
};

export const leastTokens: NamedPolicy = {
  name: 'least-tokens',
  about: 'the replica with the fewest tokens left to prefill',
  create: pushTo(
    (fleet, load) => () =>
      leastOf(
        fleet.replicas.length,
        (replica) => load.unstartedTokens(replica) + TIE_BREAK * load.requests(replica),
      ),
  ),
};

export const minTtft: NamedPolicy = {
  name: 'min-ttft',
  about: 'the replica with the least predicted time to first token; knows the constants',
  create: pushTo(
    (fleet, load) => (request) =>
      leastOf(fleet.replicas.length, (replica) => predictedTtftMs(fleet, load, request, replica)),
  ),
};
