/**
 * Whether what the clients of a run saw, and what the ledger holds after it, is what was promised. Judges
 * plain data, so that it can be shown to fail on data that was spoiled.
 */
import type { ErrorKind, Task } from '@llama-orch/contracts';
import type { TaskEvent } from '../src/event-stream.ts';
import { checkWholeStream } from '../src/stream-check.ts';

/** One accepted task, as its client saw it from outside. */
export interface Observation {
  readonly taskId: string;
  readonly isBestEffort: boolean;
  /** What the engine gives for its prompt and seed. */
  readonly expectedText: string;
  /** Posts of it that the daemon refused before it took it. */
  readonly refusals: number;
  /** Everything that was sent, over all connections. */
  readonly events: readonly TaskEvent[];
  /** Tokens that were seen when a cancel had been acknowledged; undefined when none was. */
  readonly tokensAtCancel: number | undefined;
  /** What `GET /v1/tasks/{id}` says after its stream has ended; undefined when it is not known there. */
  readonly state: Task['state'] | undefined;
  /** An answer against the contract. */
  readonly violation: string | undefined;
}

/** Codes with which a task may end, given what was done to the daemon. */
export type AllowedEnds = (code: ErrorKind, observation: Observation) => boolean;

/** A best-effort task whose output was seen cannot run again; any other must. */
export const onlyResets: AllowedEnds = (code, { isBestEffort }) =>
  isBestEffort && code === 'WORKER_RESET';

export const noFailure: AllowedEnds = () => false;

/** @returns what is wrong, one line each */
export function judgeTask(observation: Observation, allowed: AllowedEnds): readonly string[] {
  const { taskId, events, expectedText, tokensAtCancel, state, violation } = observation;
  const tell = (what: string): string => `${taskId}: ${what}`;
  if (violation !== undefined) return [tell(violation)];
  const wrong: string[] = [];
  const last = events.at(-1);
  if (last?.event !== 'end' && last?.event !== 'error') return [tell('lost, it never ended')];

  let text: string;
  try {
    text = checkWholeStream(withLateEnd(events));
  } catch (error) {
    return [tell(error instanceof Error ? error.message : String(error))];
  }
  const tokens = events.filter(({ event }) => event === 'token').length;
  if (!expectedText.startsWith(text)) wrong.push('wrong bytes');
  if (last.event === 'error') {
    if (!allowed(last.data.code, observation)) wrong.push(`ended with ${last.data.code}`);
    if (state !== 'failed') wrong.push(`its stream ended with an error, and it is ${state}`);
  } else if (last.data.finish_reason === 'canceled') {
    if (tokensAtCancel === undefined) wrong.push('canceled by nobody');
    else if (tokens > tokensAtCancel) {
      wrong.push(`${tokens - tokensAtCancel} tokens after an acknowledged cancel`);
    }
    if (state !== 'canceled') wrong.push(`its stream ended as canceled, and it is ${state}`);
  } else {
    if (text !== expectedText) wrong.push('completed without all of its bytes');
    if (state !== 'completed') wrong.push(`its stream ended well, and it is ${state}`);
  }
  return wrong.map(tell);
}

/**
 * A strict task's tokens may be shown before they are durable, and are shown at the same numbers again after
 * a crash. When it is canceled before it has come so far, its end has a number that its reader has seen.
 */
function withLateEnd(events: readonly TaskEvent[]): readonly TaskEvent[] {
  const [before, last] = events.slice(-2);
  const isLate = last?.event === 'end' && last.data.finish_reason === 'canceled';
  if (before === undefined || !isLate || last.id > before.id) return events;
  return [...events.slice(0, -1), { ...last, id: before.id + 1 }];
}

/** What the ledger's file says of one task. */
export interface LedgerTask {
  readonly accepted: number;
  readonly ended: number;
  /** Of the archive; undefined when it is not there. */
  readonly state: string | undefined;
  /** Ids of its log's chunks in order, `[first, last]`. */
  readonly chunks: readonly (readonly [number, number])[];
}

export interface LedgerContent {
  /** Sequence numbers of all events, in order. */
  readonly seqs: readonly number[];
  readonly tasks: ReadonlyMap<string, LedgerTask>;
}

/**
 * Every task that was accepted ended once, as its client was told, with a whole log; and nothing else is
 * there. An admission that was refused because the ledger did not take it may have reached the file later,
 * and was ended at once (OC-CTRL-2013).
 */
export function judgeLedger(
  ledger: LedgerContent,
  observations: readonly Observation[],
): readonly string[] {
  const violations: string[] = [];
  for (const [at, seq] of ledger.seqs.entries()) {
    const due = (ledger.seqs[at - 1] ?? seq - 1) + 1;
    if (seq !== due) violations.push(`the ledger has event ${seq} where ${due} was due`);
  }
  const known = new Map(observations.map((each) => [each.taskId, each]));
  for (const { taskId, state, events } of observations) {
    const task = ledger.tasks.get(taskId);
    if (task === undefined) {
      violations.push(`${taskId}: lost, the ledger does not know it`);
      continue;
    }
    if (task.state !== state) {
      violations.push(`${taskId}: ${task.state ?? 'open'} in the ledger, ${state} to its client`);
    }
    let due = 1;
    for (const [first, last] of task.chunks) {
      if (first !== due) violations.push(`${taskId}: its log goes on at ${first}, not at ${due}`);
      due = last + 1;
    }
    const shown = withLateEnd(events) === events ? (events.at(-1)?.id ?? 0) : 0;
    if (due - 1 < shown) violations.push(`${taskId}: shown up to ${shown}, kept up to ${due - 1}`);
  }
  for (const [id, { accepted, ended }] of ledger.tasks) {
    const most = 1 + (known.get(id)?.refusals ?? 0);
    if (accepted < 1 || accepted > most || ended !== accepted) {
      violations.push(`${id}: accepted ${accepted} times, ended ${ended} times in the ledger`);
    }
    if (!known.has(id)) violations.push(`${id}: in the ledger, and nobody posted it`);
  }
  return violations;
}
