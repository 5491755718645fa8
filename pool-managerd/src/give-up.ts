/** How a life of a replica ends, and what comes after it: a backoff, a longer pause, or nothing. */
import { afterFailure, CLOSED } from './circuit-breaker.ts';
import type {
  GiveUpReason,
  ReplicaAction,
  ReplicaMachine,
  Transition,
  TransitionContext,
} from './replica-machine-types.ts';
import { backoffDelayMs, withinWindow } from './restart-policy.ts';

/** This life is over: for an owned replica there is a next one while its budget lasts, an endpoint is probed on. */
export function giveUp(
  machine: ReplicaMachine,
  reason: GiveUpReason,
  detail: string,
  context: TransitionContext,
): Transition {
  const { nowMs, probe, restart } = context;
  const breaker = afterFailure(machine.breaker, nowMs, restart);
  const isOpen = breaker.state === 'open';
  const message = isOpen ? `${detail}; not tried again for ${restart.coolDownMs} ms` : detail;
  const left: ReplicaMachine = {
    ...noLongerReady(machine, message, context),
    answers: false,
    breaker,
  };
  const backoffMs = (isOpen ? restart.coolDownMs : 0) + pauseAfter(reason, left.failures, context);
  const failures = left.failures + 1;
  const ending = endOfLife(machine, context);
  if (!machine.owned) {
    return {
      machine: { ...left, state: 'unready', failures, failedProbes: probe.replaceAfter },
      actions: [...ending, { type: 'probe', kind: 'health', delayMs: backoffMs }],
    };
  }
  const counting = withinWindow(left.restartsAtMs, nowMs, restart.windowMs);
  if (counting.length >= restart.maxInWindow) {
    const spent = `${detail}; gave up after ${counting.length} restarts in ${restart.windowMs} ms`;
    return toFailed(machine, spent, context);
  }
  const delayMs = context.bookRestart(backoffMs);
  return {
    machine: {
      ...left,
      state: 'backoff',
      failures,
      restarts: left.restarts + 1,
      restartsAtMs: [...counting, nowMs],
    },
    actions: [...ending, { type: 'report-restart', reason, delayMs }, { type: 'wait', delayMs }],
  };
}

/** A driver that failed takes its time to come back, and a reset disturbs every engine on the device. */
function pauseAfter(
  reason: GiveUpReason,
  failures: number,
  { restart, jitter }: TransitionContext,
): number {
  const { baseMs, driverBaseMs, maxMs } = restart;
  const longer = reason === 'driver' ? Math.max(baseMs, driverBaseMs) : baseMs;
  return backoffDelayMs(failures, { baseMs: longer, maxMs: Math.max(maxMs, longer) }, jitter());
}

/** Only an operator brings it back. */
export function toFailed(
  machine: ReplicaMachine,
  detail: string,
  context: TransitionContext,
): Transition {
  return {
    machine: {
      ...noLongerReady(machine, detail, context),
      state: 'failed',
      answers: false,
      breaker: CLOSED,
    },
    actions: endOfLife(machine, context),
  };
}

/** Leaves the ready period behind; one that was long enough forgives the failures before it. */
export function noLongerReady(
  machine: ReplicaMachine,
  message: string,
  { nowMs, restart }: TransitionContext,
): ReplicaMachine {
  const stable =
    machine.readySinceMs !== undefined && nowMs - machine.readySinceMs >= restart.stableMs;
  return {
    ...machine,
    failures: stable ? 0 : machine.failures,
    readySinceMs: undefined,
    lastError: { message, atMs: nowMs },
  };
}

/** What ends a life, whatever state it ends in. */
export function endOfLife(
  machine: ReplicaMachine,
  { killGraceMs }: TransitionContext,
): readonly ReplicaAction[] {
  const discard: ReplicaAction = { type: 'discard', graceMs: killGraceMs };
  const preloading = ['starting', 'loading', 'self-test'].includes(machine.state);
  return preloading ? [{ type: 'report-preload', outcome: 'failed' }, discard] : [discard];
}
