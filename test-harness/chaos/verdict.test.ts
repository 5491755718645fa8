/** The verdict on a true run, and on the same run with one thing spoiled: each must be found. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { TaskEvent } from '../src/event-stream.ts';
import { readLedgerContent, readLedgerRows, type LedgerRow } from './ledger-file.ts';
import { Load } from './load.ts';
import { judgeOvertakings, overtakings } from './overtaking.ts';
import { loadOf, openStage } from './stage.ts';
import { judgeLedger, judgeTask, onlyResets } from './verdict.ts';
import type { LedgerContent, LedgerTask, Observation } from './verdict.ts';

let observations: readonly Observation[];
let ledger: LedgerContent;
let rows: readonly LedgerRow[];

beforeAll(async () => {
  await using stage = await openStage();
  const load = new Load(stage.daemon.client, loadOf(7, 40));
  load.release();
  observations = await load.observations();
  await stage.daemon.terminate();
  ledger = readLedgerContent(stage.daemon.dataDir);
  rows = readLedgerRows(stage.daemon.dataDir);
});

/** The first task of the run that ended so, with more than a few tokens. */
function taskThatWas(state: 'completed' | 'canceled'): Observation {
  const found = observations.find((each) => each.state === state && tokensOf(each).length > 5);
  if (found === undefined) throw new Error(`no task was ${state}`);
  return found;
}

function tokensOf({ events }: Observation): readonly TaskEvent[] {
  return events.filter(({ event }) => event === 'token');
}

function judge(observation: Observation): readonly string[] {
  return judgeTask(observation, onlyResets);
}

/** The ledger with one task changed; without it when that gives undefined. */
function ledgerWith(
  id: string,
  change: (task: LedgerTask) => LedgerTask | undefined,
): LedgerContent {
  const tasks = new Map(ledger.tasks);
  const task = tasks.get(id);
  const changed = task === undefined ? undefined : change(task);
  if (changed === undefined) tasks.delete(id);
  else tasks.set(id, changed);
  return { ...ledger, tasks };
}

test('OC-CHAOS-7300 a run that nobody disturbed keeps every promise', () => {
  expect(observations).toHaveLength(40);
  expect(observations.flatMap(judge)).toEqual([]);
  expect(judgeLedger(ledger, observations)).toEqual([]);
});

describe('OC-CHAOS-7300 a spoiled stream is found', () => {
  test('lost: it never ended', () => {
    const task = taskThatWas('completed');
    expect(judge({ ...task, events: task.events.slice(0, -1) })).toEqual([
      `${task.taskId}: lost, it never ended`,
    ]);
  });

  test('a token index twice', () => {
    const task = taskThatWas('completed');
    const [, second, third] = tokensOf(task);
    const events = task.events.map((each) =>
      each === third && second?.event === 'token' && each.event === 'token'
        ? { ...each, data: { ...each.data, i: second.data.i } }
        : each,
    );
    expect(judge({ ...task, events })).toEqual([
      expect.stringContaining('token 1 where 2 was due'),
    ]);
  });

  test('an event that was sent again after a resume', () => {
    const task = taskThatWas('completed');
    const events = [...task.events.slice(0, 5), ...task.events.slice(4)];
    expect(judge({ ...task, events })).toEqual([expect.stringMatching(/: id \d+ after \d+/)]);
  });

  test('a token that is missing', () => {
    const task = taskThatWas('completed');
    const [, second] = tokensOf(task);
    const events = task.events.filter((each) => each !== second);
    expect(judge({ ...task, events })).toEqual([expect.stringContaining('where 1 was due')]);
  });

  test('other bytes', () => {
    const task = taskThatWas('completed');
    expect(judge({ ...task, expectedText: `${task.expectedText} and more` })).toEqual([
      `${task.taskId}: completed without all of its bytes`,
    ]);
  });

  test('a token after an acknowledged cancel', () => {
    const task = taskThatWas('canceled');
    const seen = tokensOf(task).length;
    expect(judge({ ...task, tokensAtCancel: seen - 1 })).toEqual([
      `${task.taskId}: 1 tokens after an acknowledged cancel`,
    ]);
  });

  test('an end that nobody may bring about', () => {
    const task = taskThatWas('completed');
    const last = task.events.at(-1);
    const error: TaskEvent = {
      id: last?.id ?? 0,
      atMs: last?.atMs ?? 0,
      event: 'error',
      data: { code: 'WORKER_RESET', message: 'gone', retriable: true },
    };
    const spoiled: Observation = {
      ...task,
      isBestEffort: false,
      events: [...task.events.slice(0, -1), error],
      state: 'failed',
    };
    expect(judge(spoiled)).toEqual([`${task.taskId}: ended with WORKER_RESET`]);
    expect(judge({ ...spoiled, isBestEffort: true })).toEqual([]);
  });

  test('an answer against the contract', () => {
    const task = taskThatWas('completed');
    expect(judge({ ...task, violation: 'not a stream: 404' })).toHaveLength(1);
  });
});

describe('OC-CHAOS-7300 a spoiled ledger is found', () => {
  const found = (content: LedgerContent) => judgeLedger(content, observations);

  test('a task that was accepted and is not there', () => {
    const { taskId } = taskThatWas('completed');
    expect(found(ledgerWith(taskId, () => undefined))).toEqual([
      `${taskId}: lost, the ledger does not know it`,
    ]);
  });

  test('a task that ran twice', () => {
    const { taskId } = taskThatWas('completed');
    expect(found(ledgerWith(taskId, (task) => ({ ...task, accepted: 2, ended: 2 })))).toEqual([
      `${taskId}: accepted 2 times, ended 2 times in the ledger`,
    ]);
  });

  test('another end than its client was told', () => {
    const { taskId } = taskThatWas('completed');
    expect(found(ledgerWith(taskId, (task) => ({ ...task, state: 'failed' })))).toEqual([
      `${taskId}: failed in the ledger, completed to its client`,
    ]);
  });

  test('a log that lacks what was shown, at its end and in the middle', () => {
    const { taskId } = taskThatWas('completed');
    expect(found(ledgerWith(taskId, (task) => ({ ...task, chunks: [[1, 3]] })))).toHaveLength(1);
    const gap = ledgerWith(taskId, (task) => ({
      ...task,
      chunks: [
        [1, 3],
        [5, 1_000],
      ],
    }));
    expect(found(gap)).toEqual([`${taskId}: its log goes on at 5, not at 4`]);
  });

  test('an event that is missing, and a task that nobody posted', () => {
    expect(found({ ...ledger, seqs: ledger.seqs.toSpliced(3, 1) })).toHaveLength(1);
    expect(judgeLedger(ledger, observations.slice(1))).toHaveLength(1);
  });
});

test('OC-CHAOS-7309 a queue in order of arrival is found to invert priorities', () => {
  const accepted = rows.filter(({ type }) => type === 'task.accepted');
  const last = accepted.at(-1)?.taskId ?? '';
  const others = new Set(accepted.slice(0, -1).map(({ taskId = '' }) => taskId));
  const dispatched = accepted.map((row) => ({ ...row, type: 'task.dispatched' }));
  const waiting = new Set([last]);
  const inOrder = overtakings([...accepted, ...dispatched], waiting, others);
  expect(judgeOvertakings(inOrder, waiting, 4)).toEqual([
    `${last}: 39 of the flood went before it, not 4 at most`,
  ]);
  const first = overtakings([...accepted, ...dispatched.toReversed()], waiting, others);
  expect(judgeOvertakings(first, waiting, 4)).toEqual([]);
  expect(judgeOvertakings(overtakings(accepted, waiting, others), waiting, 4)).toHaveLength(1);
});
