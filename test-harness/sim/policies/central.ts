/**
 * One queue before all replicas, bound late: a request leaves it when some replica can take it up
 * with its next step and has less than a step's worth of prefill left. The order is the policy.
 */
import type { Fleet, NamedPolicy, Policy, RouterRequest } from '../policy.ts';
import { createLoadView, type LoadView } from './load-view.ts';
import { predictedTtftMs } from './predicted-ttft.ts';
import { TIE_BREAK } from './push.ts';
import { RequestQueue } from './request-queue.ts';

/** A request is due before another when its number is less. */
type Urgency = (request: RouterRequest) => number;

interface CentralRule {
  readonly name: string;
  readonly about: string;
  readonly urgency: Urgency;
  /** Refuse, when its turn comes, what would be late anyway. */
  readonly rejectLate: boolean;
}

function central({ name, about, urgency, rejectLate }: CentralRule): NamedPolicy {
  return {
    name,
    about,
    create(fleet) {
      const load = createLoadView(fleet);
      const queue = new RequestQueue();
      const serve = () => {
        for (let next = queue.first; next !== undefined; next = queue.first) {
          const replica = openReplica(fleet, load, next);
          if (replica === undefined) return;
          queue.takeFirst();
          if (rejectLate && isLate(fleet, load, next, replica)) {
            fleet.reject(next.id);
            continue;
          }
          load.sent(next, replica);
          fleet.dispatch(next.id, replica);
        }
      };
      return {
        arrived(request) {
          queue.add(urgency(request), request);
          serve();
        },
        firstToken(requestId, replica) {
          load.firstToken(requestId, replica);
          serve();
        },
        finished(requestId, replica, usage) {
          load.finished(requestId, replica, usage.outputTokens);
          serve();
        },
      } satisfies Policy;
    },
  };
}

/** The open replica with the least left to prefill once the request's hits are taken off. */
export function openReplica(
  fleet: Fleet,
  load: LoadView,
  request: RouterRequest,
): number | undefined {
  let best: number | undefined;
  let least = Infinity;
  for (const { index, tokenBudget } of fleet.replicas) {
    if (load.unstartedTokens(index) >= tokenBudget || !load.isOpen(request, index)) continue;
    const cost =
      load.unstartedTokens(index) -
      load.hitTokens(request, index) +
      TIE_BREAK * load.requests(index);
    if (cost >= least) continue;
    least = cost;
    best = index;
  }
  return best;
}

function isLate(fleet: Fleet, load: LoadView, request: RouterRequest, replica: number): boolean {
  if (request.firstTokenByMs === undefined) return false;
  return fleet.nowMs + predictedTtftMs(fleet, load, request, replica) > request.firstTokenByMs;
}

const byDeadline: Urgency = (request) => request.firstTokenByMs ?? Infinity;
const byLength: Urgency = (request) => request.promptTokens;

/** Wants its first token within this time: the tight class. */
const TIGHT_MS = 1000;
/** More than any prompt: keeps classes apart in one number. */
const CLASS_STRIDE = 1e9;

const byClassThenLength: Urgency = (request) => {
  const sloMs = (request.firstTokenByMs ?? Infinity) - request.arrivalMs;
  return (sloMs <= TIGHT_MS ? 0 : CLASS_STRIDE) + request.promptTokens;
};

export const centralFcfs = central({
  name: 'central-fcfs',
  about: 'one queue, bound late; first come, first served',
  urgency: (request) => request.arrivalMs,
  rejectLate: false,
});

export const centralShortest = central({
  name: 'central-shortest',
  about: 'one queue, bound late; shortest prompt first',
  urgency: byLength,
  rejectLate: false,
});

export const edf = central({
  name: 'edf',
  about: 'one queue, bound late; earliest deadline first',
  urgency: byDeadline,
  rejectLate: false,
});

export const edfReject = central({
  name: 'edf-reject',
  about: 'earliest deadline first; refuses what would be late when its turn comes',
  urgency: byDeadline,
  rejectLate: true,
});

export const tightShortestReject = central({
  name: 'tight-shortest-reject',
  about: 'tight deadlines first, then shortest prompt; refuses what would be late',
  urgency: byClassThenLength,
  rejectLate: true,
});

/** More than any arrival, ms: keeps classes apart in one number. */
const AFTER_ALL_MS = 1e12;

export const interactiveFirst = central({
  name: 'interactive-first',
  about: 'one queue, bound late; batch only while no interactive request waits',
  urgency: ({ priority, arrivalMs }) => arrivalMs + (priority === 'batch' ? AFTER_ALL_MS : 0),
  rejectLate: false,
});
