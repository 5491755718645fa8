/**
 * The life of one replica, as a pure function from (machine, input) to (machine, actions). The driver
 * performs the actions and feeds their results back as inputs; it decides nothing.
 *
 *   starting   a process is being spawned, or a connection opened to an endpoint; before that an owned
 *              replica's model is verified and memory is found for it
 *                launched → loading
 *                refused → backoff: there is not memory enough now
 *                misfit → failed
 *   loading    the engine reads its model; `loadMs` bounds it
 *                loaded → self-test
 *   self-test  properties, tokenize, a decode, a cancel, and the model's digest (ORCH-3002, ORCH-3049)
 *                passed → ready, or draining when a drain was asked for
 *                misfit → failed: the engine cannot be what the configuration promises
 *   ready      the only state that takes new work
 *                too many failed probes, suspected of hanging, a driver error → unready
 *   unready    takes no new work, may still be finishing some; probed more often
 *                probe-ok → ready
 *                more failed probes → given up, see below
 *   draining   ready in every respect except that it takes no new work
 *                undrain → ready
 *   backoff    an owned replica waits for its next start
 *                wait-over → starting
 *   failed     the restart budget is spent, or the engine is a misfit
 *                undrain → starting, with a fresh budget: the operator has acted
 *   stopped    final
 *
 * Giving up (an exit, a timeout, a failed self-test, garbage, too many failed probes) means for an
 * owned replica: discard the process, then backoff, or failed when the budget is spent. An external
 * endpoint cannot be replaced by us and has no budget: it becomes unready, is probed with growing
 * delays for as long as it takes, and passes the self-test anew before it is ready.
 *
 * Beside the budget every replica has a circuit breaker. Failures that come quickly open it; then the
 * next start waits for the cool-down and for the pool's permit, so that one replica at a time finds out
 * whether the fault is over. A passed self-test closes it, a failure opens it again. For an endpoint the
 * one try is the self-test. A refusal for want of memory is no failure: it counts neither against the
 * breaker nor against the budget.
 *
 * `drain` is remembered in every state, so a replica that restarts during a drain comes back draining.
 * An input that does not fit the state is a late answer from a life that is over; it changes nothing.
 */
import { afterSuccess, CLOSED, halfOpened } from './circuit-breaker.ts';
import type { Breaker } from './circuit-breaker.ts';
import { endOfLife, giveUp, noLongerReady, toFailed } from './give-up.ts';
import type {
  ReplicaAction,
  ReplicaInput,
  ReplicaMachine,
  Transition,
  TransitionContext,
} from './replica-machine-types.ts';
import { backoffDelayMs } from './restart-policy.ts';
import type { ReplicaState, ReplicaSuspicion } from './types.ts';

export function newReplica(owned: boolean): ReplicaMachine {
  return {
    owned,
    state: 'starting',
    draining: false,
    answers: false,
    failedProbes: 0,
    failures: 0,
    restarts: 0,
    restartsAtMs: [],
    breaker: CLOSED,
    refusals: 0,
    readySinceMs: undefined,
    lastError: undefined,
  };
}

/** Pure: the same machine, input and context always give the same transition. */
export function transition(
  machine: ReplicaMachine,
  input: ReplicaInput,
  context: TransitionContext,
): Transition {
  const { state } = machine;
  const stay: Transition = { machine, actions: [] };
  if (state === 'stopped') return stay;
  switch (input.type) {
    case 'start':
      return state === 'starting' ? { machine, actions: [{ type: 'launch' }] } : stay;
    case 'launched':
      if (state !== 'starting') return stay;
      return {
        machine: { ...machine, state: 'loading', refusals: 0 },
        actions: [{ type: 'await-load' }],
      };
    case 'answered':
      return state === 'loading' ? { machine: { ...machine, answers: true }, actions: [] } : stay;
    case 'loaded':
      return state === 'loading' ? toSelfTest(machine) : stay;
    case 'passed':
      return state === 'self-test' ? toReady(machine, context, 'preloaded') : stay;
    case 'misfit':
      if (state !== 'self-test' && state !== 'starting') return stay;
      return machine.owned
        ? toFailed(machine, input.detail, context)
        : giveUp(machine, 'self-test', input.detail, context);
    case 'refused':
      return state === 'starting' ? afterRefusal(machine, input.detail, context) : stay;
    case 'device-fault':
      return isProbed(state) && state !== 'unready'
        ? checkDecoding(machine, input.detail, context)
        : stay;
    case 'broken':
      return isAlive(state) ? giveUp(machine, input.reason, input.detail, context) : stay;
    case 'probe-ok':
      return isProbed(state) ? afterGoodProbe(machine, context) : stay;
    case 'probe-failed':
      return isProbed(state) ? afterFailedProbe(machine, input.detail, context) : stay;
    case 'suspected':
      return isProbed(state)
        ? afterSuspicion(machine, input.suspicion, input.detail, context)
        : stay;
    case 'wait-over':
      return state === 'backoff' ? afterBackoff(machine, context) : stay;
    case 'drain':
      return {
        machine: { ...machine, draining: true, state: state === 'ready' ? 'draining' : state },
        actions: [],
      };
    case 'undrain': {
      const reverted: ReplicaMachine = { ...machine, draining: false };
      if (state === 'failed') {
        return toStarting({ ...reverted, failures: 0, restartsAtMs: [], breaker: CLOSED });
      }
      return {
        machine: { ...reverted, state: state === 'draining' ? 'ready' : state },
        actions: [],
      };
    }
    case 'stop':
      return {
        machine: {
          ...machine,
          state: 'stopped',
          answers: false,
          breaker: CLOSED,
          readySinceMs: undefined,
        },
        actions: [{ type: 'discard', graceMs: input.graceMs }],
      };
  }
}

/** There is a process or a connection that can break. */
function isAlive(state: ReplicaState): boolean {
  return state !== 'backoff' && state !== 'failed' && state !== 'stopped';
}

function isProbed(state: ReplicaState): boolean {
  return state === 'ready' || state === 'draining' || state === 'unready';
}

function toStarting(machine: ReplicaMachine): Transition {
  return {
    machine: { ...machine, state: 'starting', failedProbes: 0 },
    actions: [{ type: 'launch' }],
  };
}

/** With an open breaker only one replica of the pool tries at a time; the others wait on. */
function afterBackoff(machine: ReplicaMachine, context: TransitionContext): Transition {
  if (machine.breaker.state !== 'open') return toStarting(machine);
  if (context.takeProbe()) return toStarting({ ...machine, breaker: halfOpened(machine.breaker) });
  const delayMs = Math.ceil(((1 + context.jitter()) / 2) * context.restart.coolDownMs);
  return { machine, actions: [{ type: 'wait', delayMs }] };
}

function afterRefusal(
  machine: ReplicaMachine,
  detail: string,
  context: TransitionContext,
): Transition {
  const { nowMs, restart, jitter } = context;
  // It was no try: with an open breaker the permit is asked for anew.
  const breaker: Breaker =
    machine.breaker.state === 'half-open' ? { ...machine.breaker, state: 'open' } : machine.breaker;
  return {
    machine: {
      ...machine,
      state: 'backoff',
      answers: false,
      breaker,
      refusals: machine.refusals + 1,
      lastError: { message: detail, atMs: nowMs },
    },
    actions: [
      ...endOfLife(machine, context),
      { type: 'wait', delayMs: 1 + backoffDelayMs(machine.refusals, restart, jitter()) },
    ],
  };
}

function toSelfTest(machine: ReplicaMachine): Transition {
  return {
    machine: { ...machine, state: 'self-test', answers: true },
    actions: [{ type: 'self-test' }],
  };
}

function toReady(
  machine: ReplicaMachine,
  { nowMs, probe }: TransitionContext,
  cause: 'preloaded' | 'recovered',
): Transition {
  const next: ReplicaAction = { type: 'probe', kind: 'health', delayMs: probe.intervalMs };
  return {
    machine: {
      ...machine,
      state: machine.draining ? 'draining' : 'ready',
      answers: true,
      failedProbes: 0,
      breaker: afterSuccess(machine.breaker),
      readySinceMs: nowMs,
    },
    actions: cause === 'preloaded' ? [{ type: 'report-preload', outcome: 'ok' }, next] : [next],
  };
}

function toUnready(
  machine: ReplicaMachine,
  detail: string,
  context: TransitionContext,
): ReplicaMachine {
  return { ...noLongerReady(machine, detail, context), state: 'unready' };
}

function afterGoodProbe(machine: ReplicaMachine, context: TransitionContext): Transition {
  if (machine.state === 'unready') {
    // An endpoint that was given up may be another process now: what we learned of it is void.
    return isGivenUp(machine, context)
      ? toSelfTest({ ...machine, breaker: halfOpened(machine.breaker) })
      : toReady(machine, context, 'recovered');
  }
  return {
    machine: { ...machine, answers: true, failedProbes: 0 },
    actions: [{ type: 'probe', kind: 'health', delayMs: context.probe.intervalMs }],
  };
}

function isGivenUp(machine: ReplicaMachine, { probe }: TransitionContext): boolean {
  return !machine.owned && machine.failedProbes >= probe.replaceAfter;
}

function afterFailedProbe(
  machine: ReplicaMachine,
  detail: string,
  context: TransitionContext,
): Transition {
  const { probe, restart, jitter, nowMs } = context;
  if (machine.state === 'unready' && isGivenUp(machine, context)) {
    const delayMs = backoffDelayMs(machine.failures, restart, jitter());
    return {
      machine: {
        ...machine,
        failures: machine.failures + 1,
        lastError: { message: detail, atMs: nowMs },
      },
      actions: [{ type: 'probe', kind: 'health', delayMs }],
    };
  }
  const failed: ReplicaMachine = {
    ...machine,
    answers: false,
    failedProbes: machine.failedProbes + 1,
  };
  if (failed.failedProbes >= probe.replaceAfter) return giveUp(failed, 'probe', detail, context);
  const unready = machine.state === 'unready' || failed.failedProbes >= probe.unreadyAfter;
  return {
    machine: unready ? toUnready(failed, detail, context) : failed,
    actions: [
      {
        type: 'probe',
        kind: 'health',
        delayMs: unready ? probe.unreadyIntervalMs : probe.intervalMs,
      },
    ],
  };
}

function afterSuspicion(
  machine: ReplicaMachine,
  suspicion: ReplicaSuspicion,
  detail: string,
  context: TransitionContext,
): Transition {
  switch (suspicion) {
    case 'garbage':
      return giveUp(machine, 'garbage', detail, context);
    case 'connection':
      if (machine.state === 'unready') return { machine, actions: [] };
      return {
        // One failed probe on top of the accusation is enough to stop sending work.
        machine: {
          ...machine,
          failedProbes: Math.max(machine.failedProbes, context.probe.unreadyAfter - 1),
        },
        actions: [{ type: 'probe', kind: 'health', delayMs: 0 }],
      };
    case 'hung':
    case 'self-test':
      return machine.state === 'unready'
        ? { machine, actions: [] }
        : checkDecoding(machine, detail, context);
  }
}

/** No new work while it is checked: it would queue behind the check, or hang as well. */
function checkDecoding(
  machine: ReplicaMachine,
  detail: string,
  context: TransitionContext,
): Transition {
  return {
    machine: toUnready(machine, detail, context),
    actions: [{ type: 'probe', kind: 'decode', delayMs: 0 }],
  };
}
