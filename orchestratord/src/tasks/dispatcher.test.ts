import type { Command, DispatchDecision } from '@llama-orch/orchestrator-core';
import type { Lease, PoolManager, ReplicaSuspicion } from '@llama-orch/pool-managerd';
import { VirtualClock, settle } from '@llama-orch/pool-managerd/testing';
import type { EngineResult, TokenSink, WorkerAdapter } from '@llama-orch/worker-adapters';
import { expect, test, vi } from 'vitest';
import { createMemoryLedger } from '../ledger/memory-ledger.ts';
import { Dispatcher } from './dispatcher.ts';
import { DurableWriter } from './durable-writer.ts';
import { LiveTask } from './live-task.ts';
import { TranscriptWriter } from './transcript-writer.ts';

const REPLICA_ID = 'default-0';

function liveTask(n: number): LiveTask {
  return new LiveTask({
    taskId: `00000000-0000-4000-8000-00000000000${n}`,
    tenantId: 'default',
    poolId: 'default',
    modelId: 'm',
    engine: 'llamacpp',
    correlationId: 'c',
    request: { prompt: 'hi' },
    promptFormat: 'raw',
    seed: '1',
    requestHash: undefined,
    acceptedAtMs: 0,
    deadlineAtMs: undefined,
  });
}

/** A replica that takes every task and answers none; tests speak through the sinks. */
function setUp(options: { readonly leased?: boolean } = {}) {
  const sinks: TokenSink[] = [];
  const commands: Command[] = [];
  const suspicions: ReplicaSuspicion[] = [];
  const attempts: PromiseWithResolvers<EngineResult>[] = [];
  const submit = (_request: unknown, sink: TokenSink) => {
    sinks.push(sink);
    const attempt = Promise.withResolvers<EngineResult>();
    attempts.push(attempt);
    return attempt.promise;
  };
  const pools = {
    use: () => ({
      snapshot: { replicaId: REPLICA_ID },
      adapter: { submit } as unknown as WorkerAdapter,
      envelope: undefined,
    }),
    suspect: (_replicaId: string, suspicion: ReplicaSuspicion) => suspicions.push(suspicion),
  } as unknown as PoolManager;
  const clock = new VirtualClock();
  const writer = new DurableWriter({
    ledger: createMemoryLedger(),
    clock,
    random: () => 0.5,
    onFatal: vi.fn(),
  });
  const onIdle = vi.fn();
  const lease = { replicaId: REPLICA_ID } as Lease;
  const dispatcher = new Dispatcher({
    pools,
    clock,
    transcripts: new TranscriptWriter({ writer, clock, intervalMs: 20 }),
    command: (command) => commands.push(command),
    leaseOf: () => (options.leased === false ? undefined : lease),
    onTokens: vi.fn(),
    onStarted: vi.fn(),
    onFirstToken: vi.fn(),
    onResult: vi.fn(),
    prefixAfter: () => undefined,
    onUnexpected: vi.fn(),
    onAttemptOver: vi.fn(),
    onIdle,
  });
  const dispatch = (task: LiveTask, attempt = 1, alone = false) =>
    dispatcher.dispatch(task, {
      type: 'dispatch',
      taskId: task.taskId,
      attempt,
      poolId: 'default',
      replicaId: REPLICA_ID,
      kvWarmth: false,
      alone,
      decision: DECISION,
    });
  const abort = (task: LiveTask, reason: 'idle-timeout' | 'wall-timeout' | 'client', attempt = 1) =>
    dispatcher.abort({
      type: 'abort',
      taskId: task.taskId,
      attempt,
      replicaId: REPLICA_ID,
      reason,
    });
  return { dispatcher, dispatch, abort, attempts, sinks, commands, suspicions, clock, onIdle };
}

const DECISION: DispatchDecision = {
  waitedMs: 0,
  waits: {},
  wentFirst: [],
  wentFirstTruncated: false,
  replicas: [],
  firstTokenMs: 1,
  preempted: false,
};

test('the engine has its work before dispatch returns', () => {
  const { dispatch, sinks } = setUp();
  dispatch(liveTask(1));
  expect(sinks).toHaveLength(1);
});

test('ORCH-3016 a silent replica is suspected of being hung', () => {
  const { dispatch, abort, suspicions } = setUp();
  const task = liveTask(1);
  dispatch(task);
  abort(task, 'idle-timeout');
  expect(suspicions).toEqual(['hung']);
});

test('a replica that speaks to others is busy, not hung', async () => {
  const { dispatch, abort, sinks, suspicions, clock } = setUp();
  const [silent, heard] = [liveTask(1), liveTask(2)];
  dispatch(silent);
  dispatch(heard);
  await clock.advance(5_000);
  void sinks[1]?.tokens(['a']);
  abort(silent, 'idle-timeout');
  expect(suspicions).toEqual([]);
  await clock.advance(5_000);
  abort(heard, 'idle-timeout');
  expect(suspicions).toEqual(['hung']);
});

test.each(['wall-timeout', 'client'] as const)('%s says nothing of the replica', (reason) => {
  const { dispatch, abort, suspicions, onIdle } = setUp();
  const task = liveTask(1);
  dispatch(task);
  abort(task, reason);
  expect(suspicions).toEqual([]);
  expect(onIdle).toHaveBeenCalledTimes(1);
});

test('without a lease nothing is dispatched, and the core is told', async () => {
  const { dispatch, sinks, commands } = setUp({ leased: false });
  dispatch(liveTask(1));
  await settle();
  expect(sinks).toEqual([]);
  expect(commands).toMatchObject([{ type: 'fail', fault: { code: 'POOL_UNREADY' } }]);
});

test('OC-POOL-3114 an attempt waits until the one before it is over, and is no silent one meanwhile', async () => {
  const { dispatch, abort, attempts, sinks, commands, clock } = setUp();
  const task = liveTask(1);
  dispatch(task, 1);
  abort(task, 'idle-timeout', 1);
  dispatch(task, 2);
  await clock.advance(200);
  expect(sinks).toHaveLength(1);
  expect(commands.length).toBeGreaterThan(1);
  expect(new Set(commands.map(({ type }) => type))).toEqual(new Set(['progress']));
  attempts[0]?.reject(new Error('aborted'));
  await settle();
  expect(sinks).toHaveLength(2);
  const { length } = commands;
  await clock.advance(1_000);
  expect(commands).toHaveLength(length);
});

test('OC-CTRL-2144 what runs alone waits until what was stopped on its replica is over, others do not', async () => {
  const { dispatch, abort, attempts, sinks } = setUp();
  const stopped = liveTask(1);
  dispatch(stopped);
  abort(stopped, 'client');
  dispatch(liveTask(2));
  expect(sinks).toHaveLength(2);
  dispatch(liveTask(3), 1, true);
  await settle();
  expect(sinks).toHaveLength(2);
  attempts[0]?.reject(new Error('aborted'));
  await settle();
  expect(sinks).toHaveLength(3);
});

test('one that is aborted while it waits never starts, and holds the next one back as long', async () => {
  const { dispatch, abort, attempts, sinks, dispatcher } = setUp();
  const task = liveTask(1);
  dispatch(task, 1);
  abort(task, 'client', 1);
  dispatch(task, 2);
  abort(task, 'client', 2);
  dispatch(task, 3);
  await settle();
  expect(sinks).toHaveLength(1);
  attempts[0]?.reject(new Error('aborted'));
  await settle();
  expect(sinks).toHaveLength(2);
  expect(dispatcher.running).toBe(1);
});
