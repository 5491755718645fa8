import type { Task } from '@llama-orch/contracts';
import { validateResponse } from '@llama-orch/contracts/responses';
import type { TaskView, WaitView, WentFirst } from '@llama-orch/orchestrator-core';
import { describe, expect, test } from 'vitest';
import { duration } from './explanation-text.ts';
import { explain, type ExplainedTask, type Present, type Viewer } from './explanation.ts';
import type { KeptDecision, TaskHistory } from './task-history.ts';

const TASK: Task = {
  task_id: '00000000-0000-4000-8000-000000000001',
  state: 'completed',
  workload: 'completion',
  pool_id: 'default',
  priority: 'interactive',
  determinism: 'strict',
  seed: 7,
  accepted_at_ms: 1_000,
  ended_at_ms: 4_000,
  attempts: 1,
};
const ADMISSION = {
  queuePosition: 3,
  predictedStartMs: 1_400,
  forecast: { firstTokenMs: 1_500, lowMs: 900, highMs: 2_500, onTimeProbability: undefined },
};
const DECISION: KeptDecision = {
  waitedMs: 1_200,
  causes: [
    { cause: 'no-free-slot', ms: 900 },
    { cause: 'turn', ms: 300 },
  ],
  wentFirst: [],
  wentFirstTruncated: false,
  replicas: [{ replica_id: 'default-0', verdict: 'chosen', first_token_ms: 30, cached_tokens: 0 }],
  firstTokenMs: 30,
  stoppedAnother: false,
};
const OWN: Viewer = { tenantId: 'acme', seesTenants: false };
const ADMIN: Viewer = { tenantId: 'acme', seesTenants: true };

const dispatchedWith = (decision: Partial<KeptDecision> = {}, atMs = 2_200) =>
  ({
    kind: 'dispatched',
    atMs,
    attempt: 1,
    replicaId: 'default-0',
    decision: { ...DECISION, ...decision },
  }) as const;

/** Explains, and holds the answer against the contract. */
function explained(
  history: TaskHistory | undefined,
  task: Partial<ExplainedTask> = {},
  viewer = OWN,
  present?: Present,
) {
  const answer = explain({ view: TASK, admission: ADMISSION, history, ...task }, viewer, present);
  expect(validateResponse('explainTask', 200, answer)).toMatchObject({ ok: true });
  return answer.entries;
}

const sentences = (entries: ReturnType<typeof explained>) => entries.map(({ summary }) => summary);

test('OC-CTRL-2080 the whole way of a task, in order and in words', () => {
  const entries = explained([
    dispatchedWith(),
    { kind: 'first-token', atMs: 2_260 },
    { kind: 'requeued', atMs: 2_500, reason: 'preempted' },
    { ...dispatchedWith({ waitedMs: 0, causes: [] }, 2_500), attempt: 2 },
    { kind: 'ended', atMs: 4_000 },
  ]);
  expect(sentences(entries)).toEqual([
    'accepted at place 3 of the queue; start predicted in 1.4 s; first token predicted in 1.5 s (8 times in 10 between 900 ms and 2.5 s)',
    'waited 1.2 s: all slots were busy for 900 ms, it was not its turn for 300 ms',
    'attempt 1 goes to default-0, first token expected within 30 ms',
    'first token 1.3 s after admission; 1.5 s had been predicted',
    'stopped to make room for another task; back in the queue at its old place',
    'attempt 2 goes to default-0, first token expected within 30 ms',
    'completed after 3 s in all',
  ]);
  expect(entries[1]).toMatchObject({ kind: 'waited', at_ms: 1_000, waited_ms: 1_200 });
});

describe('OC-CTRL-2083 tenants', () => {
  const group = (tenantId: string, tasks: number): WentFirst => ({
    tenantId,
    priority: 'interactive',
    reason: 'tenant-share',
    tasks,
  });
  const history = [dispatchedWith({ wentFirst: [group('globex', 9), group('initech', 5)] })];

  test('others are one to a caller who may not see them', () => {
    const [, waited] = explained(history);
    expect(waited).toMatchObject({
      went_first: [
        {
          tenant: 'another tenant',
          priority: 'interactive',
          reason: 'tenant-share',
          tasks: 14,
        },
      ],
    });
    expect(waited?.summary).toContain(
      '14 tasks of other tenants ran first because they had less than their share',
    );
    expect(JSON.stringify(waited)).not.toMatch(/globex|initech/);
  });

  test('an administrator sees their names', () => {
    const [, waited] = explained(history, {}, ADMIN);
    expect(waited?.summary).toContain(
      '9 tasks of tenant globex ran first because it had less than its share; 5 tasks of tenant initech',
    );
  });

  test('the present state of a waiting task hides them as well', () => {
    const wait: WaitView = {
      waitedMs: 40,
      cause: 'turn',
      waits: { turn: 40 },
      wentFirst: [group('globex', 2)],
      wentFirstTruncated: true,
      ahead: 0,
      heldForId: undefined,
      replicas: [
        { replicaId: 'a', verdict: 'slower', firstTokenMs: 5, cachedTokens: 0 },
        { replicaId: 'b', verdict: 'no-slot', firstTokenMs: 50, cachedTokens: 0 },
      ],
    };
    const task = { queuePosition: 1, predictedStartMs: 12 } as TaskView;
    const { ended_at_ms: _end, ...live } = TASK;
    const view: Task = { ...live, state: 'queued' };
    const entries = explained([], { view }, OWN, { nowMs: 1_040, task, wait });
    expect(sentences(entries).at(-1)).toBe(
      'waiting for 40 ms, 0 waiting tasks ahead: it is not its turn yet; start predicted in 12 ms; ' +
        'so far it was not its turn for 40 ms; 2 tasks of other tenants ran first because they had less than their share; and there were more',
    );
    // Nothing was chosen yet, so a replica with room is not slower than another.
    expect(entries.at(-1)).toMatchObject({
      replicas: [{ verdict: 'open' }, { verdict: 'no-slot' }],
    });
  });
});

test('each replica that was passed over is told with its reason', () => {
  const [, , dispatched] = explained([
    dispatchedWith({
      stoppedAnother: true,
      replicas: [
        { replica_id: 'a', verdict: 'chosen', first_token_ms: 30, cached_tokens: 64 },
        { replica_id: 'b', verdict: 'slower', first_token_ms: 80, cached_tokens: 0 },
        { replica_id: 'c', verdict: 'labels', cached_tokens: 0 },
      ],
    }),
  ]);
  expect(dispatched?.summary).toBe(
    'attempt 1 goes to default-0, which has 64 prompt tokens cached, where another task was stopped for it, ' +
      'first token expected within 30 ms; passed over: b (slower, first token in 80 ms), c (without a label that was asked for)',
  );
});

test('OC-CTRL-2080 each reason for which others went first is told in words', () => {
  const reasons = [
    ['arrived-earlier', '1 earlier task ran first'],
    ['more-urgent', '1 more urgent task ran first'],
    ['class-share', '1 batch task ran first because that class had less than its share'],
    ['preempted', '1 task ran first, for which this one was stopped'],
    ['was-late', '1 task ran first because this one was late already'],
    ['could-run', '1 task ran first that could start when this one could not'],
  ] as const;
  for (const [reason, sentence] of reasons) {
    const wentFirst = [{ tenantId: 'acme', priority: 'batch', reason, tasks: 1 } as const];
    const [, waited] = explained([dispatchedWith({ wentFirst })]);
    expect(waited?.summary.split('; ')[1]).toBe(sentence);
  }
});

describe('OC-CTRL-2082 what is not known', () => {
  test('OC-CORE-1091 what came before a restart is told as that', () => {
    const causes = [
      { cause: 'before-restart', ms: 1_000 },
      { cause: 'no-free-slot', ms: 200 },
    ] as const;
    const [, waited] = explained([dispatchedWith({ causes, wentFirstTruncated: true })]);
    expect(waited?.summary).toBe(
      'waited 1.2 s: before the daemon was last started for 1 s, all slots were busy for 200 ms; and there were more',
    );
  });

  test('a dispatch of which only the event survived has a wait without causes', () => {
    const entries = explained([
      { kind: 'dispatched', atMs: 1_700, attempt: 1, replicaId: 'default-0' },
      { kind: 'restarted', atMs: 2_000 },
      { kind: 'requeued', atMs: 2_010, reason: 'recovery' },
      { ...dispatchedWith({ waitedMs: 190 }), attempt: 2 },
      { kind: 'ended', atMs: 4_000 },
    ]);
    expect(entries.map(({ kind }) => kind)).toEqual([
      ...['accepted', 'waited', 'dispatched', 'restarted'],
      ...['requeued', 'waited', 'dispatched', 'ended'],
    ]);
    expect(entries[1]).toEqual({
      kind: 'waited',
      at_ms: 1_000,
      waited_ms: 700,
      summary: 'waited 700 ms; why is not known any more',
    });
    expect(entries[2]).not.toHaveProperty('replicas');
  });

  test('a task from before histories were kept says so, and guesses nothing', () => {
    const entries = explained(undefined);
    expect(entries.map(({ kind }) => kind)).toEqual(['accepted', 'omitted', 'ended']);
  });

  test('dropped entries are counted', () => {
    const entries = explained([{ kind: 'omitted', atMs: 1_500, entries: 12 }]);
    expect(sentences(entries)[1]).toBe('12 entries are not kept');
  });
});

describe('the end', () => {
  const deadline = { ...TASK, deadline_at_ms: 4_500 };

  test.each([
    [
      deadline,
      true,
      'completed after 3 s in all; the deadline was kept, 500 ms were left at the end',
    ],
    [
      { ...deadline, deadline_at_ms: 2_000 },
      false,
      'completed after 3 s in all; the deadline was missed',
    ],
    [
      { ...TASK, finish_reason: 'length' as const },
      undefined,
      'completed (length) after 3 s in all',
    ],
    [{ ...deadline, state: 'canceled' as const }, undefined, 'canceled after 3 s in all'],
  ])('is told with the deadline (%#)', (view, deadlineKept, sentence) => {
    const entries = explained([dispatchedWith(), { kind: 'ended', atMs: 4_000, deadlineKept }], {
      view,
    });
    expect(sentences(entries).at(-1)).toBe(sentence);
  });

  test('OC-CTRL-2080 of a task that waited until then, the wait is told with its causes', () => {
    const wait = {
      ...DECISION,
      waitedMs: 3_000,
      causes: [{ cause: 'no-matching-replica', ms: 3_000 }],
    };
    const kept = { ...wait, causes: wait.causes as KeptDecision['causes'] };
    const entries = explained([{ kind: 'ended', atMs: 4_000, wait: kept }]);
    expect(entries[1]).toMatchObject({ kind: 'waited', at_ms: 1_000, waited_ms: 3_000 });
    expect(sentences(entries)[1]).toBe(
      'waited 3 s: no replica of the pool had the labels and devices it names for 3 s',
    );
  });

  test('a failure is told with its code and message', () => {
    const error = { code: 'DEADLINE_UNMET', message: 'came too late', retriable: true } as const;
    const view: Task = { ...TASK, state: 'failed', error };
    const entries = explained([{ kind: 'ended', atMs: 4_000, deadlineKept: false }], { view });
    expect(entries.map(({ kind }) => kind)).toEqual(['accepted', 'waited', 'ended']);
    expect(sentences(entries).at(-1)).toBe(
      'failed after 3 s in all with DEADLINE_UNMET: came too late; the deadline was missed',
    );
  });
});

test.each([
  [0, '0 ms'],
  [999.4, '999 ms'],
  [999.6, '1 s'],
  [1_250, '1.3 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min'],
  [185_000, '3 min 5 s'],
])('%f ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
