import { createCore, type Command, type Core, type CoreEvent } from '@llama-orch/orchestrator-core';
import { expect, test, vi } from 'vitest';
import { createMemoryDisk, createMemoryLedger } from '../ledger/memory-ledger.ts';
import type { Logger } from '../logging.ts';
import { LiveTask, type TaskRecord } from './live-task.ts';
import { recover, takeSnapshot } from './recovery.ts';

const RUNS = '00000000-0000-4000-8000-000000000001';
const WAITS = '00000000-0000-4000-8000-000000000002';
const FORESEEN = { firstTokenMs: 70, lowMs: 50, highMs: 99, onTimeProbability: 0.8 };
const FORECAST = { firstTokenMs: 40, lowMs: 20, highMs: 90, onTimeProbability: 0.9 };

function record(taskId: string): TaskRecord {
  return {
    taskId,
    tenantId: 'default',
    poolId: 'p',
    modelId: 'm',
    engine: 'llamacpp',
    correlationId: 'c',
    request: { prompt: 'hi', priority: 'batch' },
    promptFormat: 'raw',
    seed: '1',
    requestHash: undefined,
    acceptedAtMs: 0,
    deadlineAtMs: undefined,
  };
}

const newCore = (): Core => createCore({ sessionLimits: { ttlMs: 1_000, maxTurns: 8 } });

const commands: readonly Command[] = [
  {
    type: 'pool-set',
    pool: {
      poolId: 'p',
      engine: 'llamacpp',
      capacity: 8,
      classCapacity: {},
      fullPolicy: 'reject',
      wallMs: 60_000,
      idleMs: 60_000,
      ctx: 128,
      device: 'cpu',
      maxAttempts: 2,
      classWeights: { interactive: 8, batch: 1 },
      preemption: 'soft',
      maxPreemptions: 3,
    },
  },
  {
    type: 'replica-set',
    replica: { replicaId: 'r', poolId: 'p', setId: 's', slots: 1, ctx: 128, ready: true },
  },
];

const admit = (taskId: string): Command => ({
  type: 'admit',
  task: {
    taskId,
    poolId: 'p',
    tenantId: 'default',
    priority: 'batch',
    sessionId: undefined,
    promptTokens: 4,
    promptTokensExact: true,
    maxTokens: 8,
    expectedTokens: undefined,
    ctx: undefined,
    deadlineAtMs: undefined,
    rerunnable: true,
    kvHint: 'reuse',
  },
});

/** A disk, a core, and what the daemon before wrote of it. */
function earlierLife() {
  const disk = createMemoryDisk();
  const ledger = createMemoryLedger({ disk });
  const core = newCore();
  const write = async (events: readonly CoreEvent[], atMs: number): Promise<void> => {
    await ledger.write({
      events: events.map((event) => {
        const detail =
          event.type === 'task.accepted'
            ? { ...record(event.taskId), forecast: FORECAST }
            : event.type === 'task.foreseen'
              ? { forecast: FORESEEN }
              : undefined;
        const taskId = 'taskId' in event ? event.taskId : undefined;
        return { v: 1, type: event.type, atMs, taskId, data: JSON.stringify({ event, detail }) };
      }),
    });
  };
  const step = (command: Command, atMs: number) => write(core.step(command, atMs).events, atMs);
  return { disk, ledger, core, step, write };
}

async function restart(disk: ReturnType<typeof createMemoryDisk>, atMs: number) {
  const core = newCore();
  const tasks = new Map<string, LiveTask>();
  const warn = vi.fn();
  const ports = {
    ledger: createMemoryLedger({ disk }),
    core,
    book: { restore: (task: LiveTask) => void tasks.set(task.taskId, task) },
    log: { warn } as unknown as Logger,
  };
  await recover(ports, atMs);
  return { core, tasks, warn };
}

test('OC-CTRL-2016 OC-CTRL-2082 events give back what was promised and the facts of each attempt', async () => {
  const { disk, step, write } = earlierLife();
  for (const command of commands) await step(command, 0);
  await step(admit(RUNS), 10);
  await step(admit(WAITS), 20);
  await write(
    [{ type: 'task.requeued', taskId: RUNS, reason: 'preempted', pinnedSetId: undefined }],
    30,
  );
  const { tasks } = await restart(disk, 500);
  expect(tasks.get(RUNS)).toMatchObject({
    attempts: 1,
    preemptions: 1,
    history: [
      { kind: 'dispatched', atMs: 10, attempt: 1, replicaId: 'r' },
      { kind: 'requeued', atMs: 30, reason: 'preempted' },
      { kind: 'restarted', atMs: 500 },
    ],
  });
  const waits = tasks.get(WAITS);
  expect(waits?.admission).toEqual({
    queuePosition: 1,
    predictedStartMs: expect.any(Number) as number,
    forecast: FORECAST,
  });
  expect(waits?.record).toEqual(JSON.parse(JSON.stringify(record(WAITS))));
  expect(waits?.history).toEqual([{ kind: 'restarted', atMs: 500 }]);
});

test('OC-CTRL-2016 OC-CORE-1106 what a task was promised in the end is what it was promised', async () => {
  const { disk, step, write } = earlierLife();
  for (const command of commands) await step(command, 0);
  await step(admit(RUNS), 10);
  await step(admit(WAITS), 20);
  const promise = { queuePosition: 2, predictedStartMs: 60 };
  await write([{ type: 'task.foreseen', taskId: WAITS, ...promise }], 20);
  const { tasks } = await restart(disk, 500);
  expect(tasks.get(WAITS)?.admission).toEqual({ ...promise, forecast: FORESEEN });
});

test('OC-CTRL-2081 tasks that never ran share one history after a restart', async () => {
  const { disk, step } = earlierLife();
  await step(commands[0]!, 0);
  await step(admit(RUNS), 10);
  await step(admit(WAITS), 20);
  const { tasks } = await restart(disk, 500);
  expect(tasks.get(RUNS)?.history).toBe(tasks.get(WAITS)?.history);
});

test('OC-CTRL-2082 a snapshot keeps the histories and preemptions of what ran', async () => {
  const { disk, ledger, core, step } = earlierLife();
  for (const command of commands) await step(command, 0);
  await step(admit(RUNS), 10);
  const task = new LiveTask(record(RUNS));
  task.attempts = 1;
  task.preemptions = 2;
  task.note({ kind: 'first-token', atMs: 15 });
  task.admission = { queuePosition: 0, predictedStartMs: 0, forecast: FORECAST };
  await ledger.snapshot(takeSnapshot(core, { all: () => [task] }));
  const { tasks } = await restart(disk, 500);
  expect(tasks.get(RUNS)).toMatchObject({
    preemptions: 2,
    admission: task.admission,
    history: [
      { kind: 'first-token', atMs: 15 },
      { kind: 'restarted', atMs: 500 },
    ],
  });
});

async function lifeThatLearned() {
  const life = earlierLife();
  for (const command of commands) await life.step(command, 0);
  await life.step(admit(RUNS), 10);
  const usage = { tokensIn: 4, tokensOut: 8, cachedTokens: 0, decodeMs: 70 };
  const finish = { taskId: RUNS, attempt: 1, finishReason: 'stop', usage } as const;
  await life.step({ type: 'finish', ...finish }, 90);
  const snapshot = JSON.parse(takeSnapshot(life.core, { all: () => [] })) as {
    learned?: { v: number; pools: unknown };
  };
  return { ...life, snapshot };
}

test('OC-CTRL-2084 what was learned goes on after a restart', async () => {
  const { disk, ledger, core, snapshot } = await lifeThatLearned();
  await ledger.snapshot(JSON.stringify(snapshot));
  const later = await restart(disk, 500);
  expect(core.poolView('p')?.learned.samples).toBe(1);
  expect(later.core.learned()).toEqual(core.learned());
  expect(later.warn).not.toHaveBeenCalled();
});

test.each([
  ['of another version', { v: 99, pools: {} }],
  ['damaged', { v: 1, pools: { p: { latency: null } } }],
  ['without pools', { v: 1, pools: null }],
  ['no object', 'samples'],
  ['null', null],
])('OC-CTRL-2084 learned state that is %s is logged and left unused', async (_what, learned) => {
  const { disk, ledger, snapshot } = await lifeThatLearned();
  await ledger.snapshot(JSON.stringify({ ...snapshot, learned }));
  const { core, warn } = await restart(disk, 500);
  expect(warn).toHaveBeenCalledTimes(1);
  for (const command of commands) core.step(command, 600);
  expect(core.poolView('p')?.learned.samples).toBe(0);
});

test('OC-CTRL-2084 a damaged part of what was learned is named in the log, and the others are used', async () => {
  const { disk, ledger, core, snapshot } = await lifeThatLearned();
  const pools = snapshot.learned?.pools as { p: object };
  const learned = { v: 1, pools: { p: { ...pools.p, drain: { gapMs: null } } } };
  await ledger.snapshot(JSON.stringify({ ...snapshot, learned }));
  const later = await restart(disk, 500);
  expect(later.warn).toHaveBeenCalledWith({ parts: ['p.drain'] }, expect.any(String));
  for (const command of commands) later.core.step(command, 600);
  expect(later.core.poolView('p')?.learned).toEqual(core.poolView('p')?.learned);
});

test('a snapshot from before anything was learned loads as before', async () => {
  const { disk, ledger, snapshot } = await lifeThatLearned();
  const { learned: _learned, ...older } = snapshot;
  await ledger.snapshot(JSON.stringify(older));
  const { warn } = await restart(disk, 500);
  expect(warn).not.toHaveBeenCalled();
});

test('what a newer version wrote is refused, not guessed at', async () => {
  const { disk, ledger, snapshot } = await lifeThatLearned();
  await ledger.snapshot(JSON.stringify({ ...snapshot, v: 2 }));
  await expect(restart(disk, 500)).rejects.toThrow(
    'snapshot has version 2; this daemon knows up to 1',
  );
  const later = await lifeThatLearned();
  await later.ledger.write({
    events: [{ v: 99, type: 'task.ended', atMs: 100, taskId: RUNS, data: '{}' }],
  });
  await expect(restart(later.disk, 500)).rejects.toThrow(/^event \d+ has version 99/);
});
