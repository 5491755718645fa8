/**
 * The answer of `GET /v1/tasks/{id}/explain`, from what is kept of a task: made when it is asked for, so
 * that keeping costs little. Facts here, their wording in `explanation-text.ts`.
 */
import type {
  ExplainedReplica,
  ExplainedWentFirst,
  ExplanationEntry,
  Task,
  TaskExplanation,
} from '@llama-orch/contracts';
import type { TaskView, WaitView, WentFirst } from '@llama-orch/orchestrator-core';
import {
  ANOTHER_TENANT,
  acceptedText,
  dispatchedText,
  endedText,
  firstTokenText,
  omittedText,
  requeuedText,
  RESTARTED_TEXT,
  waitedText,
  waitingText,
  type Milestone,
} from './explanation-text.ts';
import { predictionFields, type AdmissionPromise } from './admission-promise.ts';
import {
  causesOf,
  toExplained,
  type Dispatched,
  type KeptWait,
  type TaskHistory,
} from './task-history.ts';

/** Who asks: the names of other tenants are for administrators only. */
export interface Viewer {
  readonly tenantId: string;
  readonly seesTenants: boolean;
}

export interface ExplainedTask {
  readonly view: Task;
  readonly admission: AdmissionPromise;
  /** Undefined where none was recorded. */
  readonly history: TaskHistory | undefined;
}

/** Where a waiting task stands at the moment of the answer. */
export interface Present {
  readonly nowMs: number;
  readonly task: TaskView;
  readonly wait: WaitView;
}

export function explain(
  task: ExplainedTask,
  viewer: Viewer,
  present: Present | undefined,
): TaskExplanation {
  const { view, history } = task;
  const entries: ExplanationEntry[] = [acceptedEntry(task)];
  if (history === undefined) {
    entries.push({ kind: 'omitted', at_ms: view.accepted_at_ms, summary: omittedText(undefined) });
  }
  let queuedAtMs: number | undefined = view.accepted_at_ms;
  let deadlineKept: boolean | undefined;
  for (const entry of history ?? []) {
    const at_ms = entry.atMs;
    switch (entry.kind) {
      case 'dispatched':
        entries.push(...waitedEntry(entry.decision, queuedAtMs, at_ms, viewer));
        entries.push(dispatchedEntry(entry, milestoneOf(view)));
        queuedAtMs = undefined;
        break;
      case 'first-token':
        entries.push(firstTokenEntry(task, at_ms));
        break;
      case 'requeued': {
        const { reason } = entry;
        entries.push({ kind: 'requeued', at_ms, summary: requeuedText(reason), reason });
        queuedAtMs = at_ms;
        break;
      }
      case 'restarted':
        entries.push({ kind: 'restarted', at_ms, summary: RESTARTED_TEXT });
        break;
      case 'omitted': {
        const summary = omittedText(entry.entries);
        entries.push({ kind: 'omitted', at_ms, summary, entries: entry.entries });
        // Nobody knows any more whether it went back to the queue in between.
        queuedAtMs = undefined;
        break;
      }
      case 'ended':
        deadlineKept = entry.deadlineKept;
        entries.push(...waitedEntry(entry.wait, queuedAtMs, at_ms, viewer));
    }
  }
  if (present !== undefined) entries.push(waitingEntry(present, viewer));
  if (view.ended_at_ms !== undefined) {
    entries.push(endedEntry(view, view.ended_at_ms, deadlineKept));
  }
  return { task_id: view.task_id, state: view.state, entries };
}

function acceptedEntry({ view, admission }: ExplainedTask): ExplanationEntry {
  const facts = {
    queue_position: admission.queuePosition,
    predicted_start_ms: Math.round(admission.predictedStartMs),
    ...predictionFields(admission.forecast),
    ...(view.deadline_at_ms === undefined ? {} : { deadline_at_ms: view.deadline_at_ms }),
  };
  return {
    kind: 'accepted',
    at_ms: view.accepted_at_ms,
    summary: acceptedText(facts, view.accepted_at_ms, milestoneOf(view)),
    ...facts,
  };
}

function waitedEntry(
  wait: KeptWait | undefined,
  queuedAtMs: number | undefined,
  untilMs: number,
  viewer: Viewer,
): readonly ExplanationEntry[] {
  if (wait === undefined) return unknownWait(queuedAtMs, untilMs);
  const { waitedMs, causes, wentFirst, wentFirstTruncated } = wait;
  if (waitedMs === 0) return [];
  const facts = {
    waited_ms: waitedMs,
    causes,
    went_first: shown(wentFirst, viewer),
    ...(wentFirstTruncated ? { went_first_truncated: true } : {}),
  };
  const summary = waitedText(facts);
  return [{ kind: 'waited', at_ms: Math.max(0, untilMs - waitedMs), summary, ...facts }];
}

/** A wait of which only its ends are known. */
function unknownWait(queuedAtMs: number | undefined, untilMs: number): readonly ExplanationEntry[] {
  if (queuedAtMs === undefined || untilMs - queuedAtMs < 1) return [];
  const facts = { waited_ms: untilMs - queuedAtMs };
  return [{ kind: 'waited', at_ms: queuedAtMs, summary: waitedText(facts), ...facts }];
}

function milestoneOf({ workload }: Task): Milestone {
  return workload === 'completion' ? 'first token' : 'answer';
}

function dispatchedEntry(
  { atMs, attempt, replicaId, decision }: Dispatched,
  milestone: Milestone,
): ExplanationEntry {
  const facts = {
    attempt,
    replica_id: replicaId,
    ...(decision === undefined
      ? {}
      : {
          expected_first_token_ms: decision.firstTokenMs,
          stopped_another: decision.stoppedAnother,
          replicas: decision.replicas,
        }),
  };
  return { kind: 'dispatched', at_ms: atMs, summary: dispatchedText(facts, milestone), ...facts };
}

function firstTokenEntry({ view, admission }: ExplainedTask, atMs: number): ExplanationEntry {
  const { on_time_probability: _chance, ...predicted } = predictionFields(admission.forecast);
  const facts = { ttft_ms: Math.max(0, atMs - view.accepted_at_ms), ...predicted };
  return { kind: 'first-token', at_ms: atMs, summary: firstTokenText(facts), ...facts };
}

function waitingEntry({ nowMs, task, wait }: Present, viewer: Viewer): ExplanationEntry {
  const facts = {
    waited_ms: Math.max(0, Math.round(wait.waitedMs)),
    cause: wait.cause,
    causes: causesOf(wait.waits),
    queue_position: task.queuePosition,
    ahead: wait.ahead,
    predicted_start_ms: Math.round(task.predictedStartMs),
    ...(task.onTimeProbability === undefined
      ? {}
      : { on_time_probability: task.onTimeProbability }),
    ...(wait.heldForId === undefined ? {} : { held_for: wait.heldForId }),
    went_first: shown(wait.wentFirst, viewer),
    ...(wait.wentFirstTruncated || wait.wentFirst.length > MAX_SHOWN
      ? { went_first_truncated: true }
      : {}),
    replicas: wait.replicas.map((each) => openTo(toExplained(each), wait.heldForId)),
  };
  const summary = waitingText(facts);
  return { kind: 'waiting', at_ms: Math.round(nowMs), summary, ...facts };
}

/** A replica with room is not `slower` than another while none was chosen. */
function openTo(replica: ExplainedReplica, heldForId: string | undefined): ExplainedReplica {
  const isOpen = replica.verdict === 'slower' && heldForId === undefined;
  return isOpen ? { ...replica, verdict: 'open' } : replica;
}

function endedEntry(
  view: Task,
  endedAtMs: number,
  deadlineKept: boolean | undefined,
): ExplanationEntry {
  const facts = {
    state: view.state,
    ...(view.finish_reason === undefined ? {} : { finish_reason: view.finish_reason }),
    ...(view.error === undefined ? {} : { code: view.error.code }),
    total_ms: Math.max(0, endedAtMs - view.accepted_at_ms),
    ...(deadlineKept === undefined ? {} : { deadline_kept: deadlineKept }),
  };
  const spareMs = view.deadline_at_ms === undefined ? 0 : view.deadline_at_ms - endedAtMs;
  const summary = endedText(facts, spareMs, view.error?.message);
  return { kind: 'ended', at_ms: endedAtMs, summary, ...facts };
}

const MAX_SHOWN = 16;

/** Groups as the viewer may see them: the tenants it may not know are one. */
function shown(groups: readonly WentFirst[], viewer: Viewer): readonly ExplainedWentFirst[] {
  const merged = new Map<string, ExplainedWentFirst>();
  for (const { tenantId, priority, reason, tasks } of groups) {
    const isKnown = viewer.seesTenants || tenantId === viewer.tenantId;
    const tenant = isKnown ? tenantId : ANOTHER_TENANT;
    const key = `${reason} ${priority} ${tenant}`;
    const before = merged.get(key)?.tasks ?? 0;
    merged.set(key, { tenant, priority, reason, tasks: before + tasks });
  }
  return [...merged.values()].sort((a, b) => b.tasks - a.tasks).slice(0, MAX_SHOWN);
}
