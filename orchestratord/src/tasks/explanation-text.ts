/** Entries of an explanation in words. */
import type { ExplainedReplica, ExplainedWentFirst, ExplanationEntry } from '@llama-orch/contracts';
import type { RequeueReason } from '@llama-orch/orchestrator-core';

type Facts<Kind extends ExplanationEntry['kind']> = Omit<
  Extract<ExplanationEntry, { kind: Kind }>,
  'kind' | 'at_ms' | 'summary'
>;
type Waiting = Facts<'waiting'>;

/** Stands for every tenant whose name the viewer may not see. */
export const ANOTHER_TENANT = 'another tenant';

export const RESTARTED_TEXT =
  'the daemon was started again; of what came before only the durable facts are left';

/** What forecasts are of: what is answered whole has no first token. */
export type Milestone = 'first token' | 'answer';

export function acceptedText(
  facts: Facts<'accepted'>,
  acceptedAtMs: number,
  milestone: Milestone,
): string {
  const { queue_position: position, predicted_start_ms: startMs, deadline_at_ms: deadline } = facts;
  const place =
    position === 0
      ? 'accepted with a slot free for it'
      : `accepted at place ${position} of the queue; start predicted in ${duration(startMs)}`;
  const { predicted_first_token_ms: firstMs, predicted_interval_ms: interval } = facts;
  const first =
    firstMs === undefined || interval === undefined
      ? ''
      : `; ${milestone} predicted in ${duration(firstMs)} (8 times in 10 between ${duration(interval[0])} and ${duration(interval[1])})`;
  const chance = facts.on_time_probability;
  const kept =
    deadline === undefined
      ? ''
      : `; deadline in ${duration(deadline - acceptedAtMs)}${chance === undefined ? '' : `, kept with a probability of ${percent(chance)}`}`;
  return place + first + kept;
}

export function waitedText(facts: Facts<'waited'>): string {
  const waited = `waited ${duration(facts.waited_ms)}`;
  if (facts.causes === undefined) return `${waited}; why is not known any more`;
  return waited + reasons(facts.causes, facts.went_first ?? [], facts.went_first_truncated);
}

export function waitingText(facts: Waiting): string {
  const place = `waiting for ${duration(facts.waited_ms)}, ${tasks(facts.ahead, 'waiting task')} ahead`;
  const held = facts.held_for;
  const state =
    facts.cause === 'held' && held !== undefined
      ? `held for ${held}, which is busy but quicker after a wait than an open replica`
      : STATES[facts.cause];
  const start =
    facts.predicted_start_ms === undefined
      ? ''
      : `; start predicted in ${duration(facts.predicted_start_ms)}`;
  const soFar = reasons(facts.causes, facts.went_first, facts.went_first_truncated);
  return `${place}: ${state}${start}${soFar.replace(/^: /, '; so far ')}`;
}

const STATES: Readonly<Record<Waiting['cause'], string>> = {
  'pool-draining': 'the pool drains',
  'pool-unavailable': 'the pool cannot come back by itself',
  'no-matching-replica': 'no replica of the pool has the labels and devices it names',
  'no-ready-replica': 'no replica is ready',
  'model-not-loaded': 'its model is not loaded',
  'no-free-slot': 'all slots are busy',
  'no-kv-room': 'no replica has enough KV memory free',
  'replicas-prefilling': 'the replicas with a free slot still read earlier prompts',
  turn: 'it is not its turn yet',
  'tenant-limit': 'its tenant runs as many tasks at once as it may',
  held: 'it is held for a busy replica that is quicker after a wait than an open one',
};

type Cause = NonNullable<Facts<'waited'>['causes']>[number]['cause'];

const CAUSES: Readonly<Record<Cause, string>> = {
  'before-restart': 'before the daemon was last started',
  'pool-draining': 'the pool was draining',
  'pool-unavailable': 'the pool was unavailable',
  'no-matching-replica': 'no replica of the pool had the labels and devices it names',
  'no-ready-replica': 'no replica was ready',
  'model-not-loaded': 'its model was not loaded',
  'no-free-slot': 'all slots were busy',
  'no-kv-room': 'no replica had enough KV memory free',
  'replicas-prefilling': 'the replicas with a free slot were reading earlier prompts',
  turn: 'it was not its turn',
};

function reasons(
  causes: readonly { readonly cause: Cause; readonly ms: number }[],
  wentFirst: readonly ExplainedWentFirst[],
  isTruncated: boolean | undefined,
): string {
  const times = causes.map(({ cause, ms }) => `${CAUSES[cause]} for ${duration(ms)}`);
  const others = wentFirst.map(wentFirstText);
  if (isTruncated === true) others.push('and there were more');
  const parts = [times.join(', '), ...others].filter((part) => part !== '');
  return parts.length === 0 ? '' : `: ${parts.join('; ')}`;
}

function wentFirstText({ tenant, priority, reason, tasks: count }: ExplainedWentFirst): string {
  switch (reason) {
    case 'arrived-earlier':
      return `${tasks(count, 'earlier task')} ran first`;
    case 'more-urgent':
      return `${tasks(count, 'more urgent task')} ran first`;
    case 'preempted':
      return `${tasks(count, 'task')} ran first, for which this one was stopped`;
    case 'was-late':
      return `${tasks(count, 'task')} ran first because this one was late already`;
    case 'could-run':
      return `${tasks(count, 'task')} ran first that could start when this one could not`;
    case 'class-share':
      return `${tasks(count, `${priority} task`)} ran first because that class had less than its share`;
    case 'tenant-share': {
      const they = count === 1 ? 'it had less than its share' : 'they had less than their share';
      if (tenant !== ANOTHER_TENANT) {
        return `${tasks(count, 'task')} of tenant ${tenant} ran first because it had less than its share`;
      }
      const whose = count === 1 ? ANOTHER_TENANT : 'other tenants';
      return `${tasks(count, 'task')} of ${whose} ran first because ${they}`;
    }
  }
}

export function dispatchedText(facts: Facts<'dispatched'>, milestone: Milestone): string {
  const { attempt, replica_id: replicaId, expected_first_token_ms: firstMs } = facts;
  const expected =
    firstMs === undefined ? '' : `, ${milestone} expected within ${duration(firstMs)}`;
  const stopped = facts.stopped_another === true ? ', where another task was stopped for it' : '';
  const [chosen, ...others] = facts.replicas ?? [];
  const cached =
    chosen === undefined || chosen.cached_tokens === 0
      ? ''
      : `, which has ${tasks(chosen.cached_tokens, 'prompt token')} cached`;
  const passed = others.map((replica) => passedText(replica, milestone));
  const rest = passed.length === 0 ? '' : `; passed over: ${passed.join(', ')}`;
  return `attempt ${attempt} goes to ${replicaId}${cached}${stopped}${expected}${rest}`;
}

function passedText(
  { replica_id: id, verdict, first_token_ms: firstMs }: ExplainedReplica,
  milestone: Milestone,
): string {
  const time = firstMs === undefined ? '' : `, ${milestone} in ${duration(firstMs)}`;
  return `${id} (${VERDICTS[verdict]}${time})`;
}

const VERDICTS: Readonly<Record<ExplainedReplica['verdict'], string>> = {
  chosen: 'chosen',
  open: 'open',
  'not-ready': 'not ready',
  resting: 'resting after a fault',
  'other-set': 'of another replica set than the output so far',
  'canary-share': 'on the other side of a canary',
  device: 'not on a device that was asked for',
  labels: 'without a label that was asked for',
  excluded: 'the one to compare with',
  'anti-affinity': 'runs a task to be kept apart from',
  'no-slot': 'no free slot',
  'not-idle': 'not idle, and this one runs alone there',
  'no-kv-room': 'not enough KV memory free',
  prefilling: 'reading other prompts',
  'kept-back': 'kept back for the interactive answers there',
  slower: 'slower',
};

export function firstTokenText(facts: Facts<'first-token'>): string {
  const { ttft_ms: ttftMs, predicted_first_token_ms: predicted } = facts;
  const first = `first token ${duration(ttftMs)} after admission`;
  return predicted === undefined ? first : `${first}; ${duration(predicted)} had been predicted`;
}

const REQUEUED: Readonly<Record<RequeueReason, string>> = {
  fault: 'the attempt failed',
  'idle-timeout': 'the engine went silent',
  'replica-gone': 'the replica was lost',
  'replica-crashed': 'the engine crashed',
  drain: 'the pool drained',
  recovery: 'the daemon had stopped while it ran',
  preempted: 'stopped to make room for another task',
};

export function requeuedText(reason: RequeueReason): string {
  return `${REQUEUED[reason]}; back in the queue at its old place`;
}

/** @param entries undefined when none were ever recorded */
export function omittedText(entries: number | undefined): string {
  return entries === undefined
    ? 'what happened to this task was not recorded'
    : `${entries} entries are not kept`;
}

/** @param spareMs from the end to the deadline */
export function endedText(
  facts: Facts<'ended'>,
  spareMs: number,
  message: string | undefined,
): string {
  const { state, code, finish_reason: reason, total_ms: totalMs, deadline_kept: kept } = facts;
  const how = reason === undefined || reason === 'canceled' ? state : `${state} (${reason})`;
  const why = code === undefined ? '' : ` with ${code}: ${(message ?? '').slice(0, 1024)}`;
  const deadline =
    kept === undefined
      ? ''
      : kept
        ? `; the deadline was kept${spareMs > 0 ? `, ${duration(spareMs)} were left at the end` : ''}`
        : '; the deadline was missed';
  return `${how} after ${duration(totalMs)} in all${why}${deadline}`;
}

function tasks(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function percent(probability: number): string {
  return `${Math.round(probability * 100)} %`;
}

/** `840 ms`, `1.2 s`, `3 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / 1000);
  const rest = seconds % 60;
  return `${Math.floor(seconds / 60)} min${rest === 0 ? '' : ` ${rest} s`}`;
}
