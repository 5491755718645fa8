import { OrchError } from '@llama-orch/contracts';
import { createCore, type Core, type CoreEvent, type Effect } from '@llama-orch/orchestrator-core';
import { VirtualClock, settle } from '@llama-orch/pool-managerd/testing';
import { expect, test, vi } from 'vitest';
import { LedgerError } from '../ledger/ledger-error.ts';
import { createMemoryLedger } from '../ledger/memory-ledger.ts';
import { CoreHost, type EffectHandler, type EffectWrites } from './core-host.ts';
import { DurableWriter } from './durable-writer.ts';

const TASK_ID = '00000000-0000-4000-8000-000000000001';

function admission(taskId: string) {
  return {
    type: 'admit',
    task: {
      taskId,
      poolId: 'p',
      tenantId: 'default',
      priority: 'interactive',
      sessionId: undefined,
      promptTokens: 1,
      promptTokensExact: true,
      maxTokens: 1,
      expectedTokens: undefined,
      ctx: undefined,
      deadlineAtMs: undefined,
      rerunnable: true,
      kvHint: 'reuse',
    },
  } as const;
}

function setUp(handle: (effect: Effect) => EffectWrites | undefined = () => undefined) {
  const core: Core = createCore({ sessionLimits: { ttlMs: 1000, maxTurns: 8 } });
  const ledger = createMemoryLedger();
  const clock = new VirtualClock();
  const effects: Effect[] = [];
  const writer = new DurableWriter({ ledger, clock, random: () => 0.5, onFatal: vi.fn() });
  const handler: EffectHandler = {
    handle: (effect) => {
      effects.push(effect);
      return handle(effect);
    },
    observe: () => undefined,
    detail: (event: CoreEvent) => (event.type === 'task.accepted' ? { note: 'x' } : undefined),
  };
  const host = new CoreHost({ core, writer, clock, handler, onEvents: vi.fn() });
  host.apply({
    type: 'pool-set',
    pool: {
      poolId: 'p',
      engine: 'llamacpp',
      capacity: 4,
      classCapacity: {},
      fullPolicy: 'reject',
      wallMs: 1000,
      idleMs: 500,
      ctx: 128,
      device: 'cpu',
      maxAttempts: 2,
      classWeights: { interactive: 8, batch: 1 },
      preemption: 'soft',
      maxPreemptions: 3,
    },
  });
  return { core, ledger, clock, effects, host };
}

test('OC-CTRL-2013 an admission is durable, with its detail, before it counts', async () => {
  const { ledger, host } = setUp();
  await host.admit(admission(TASK_ID)).durable;
  const [stored] = await ledger.readEvents(0, 10);
  expect(stored).toMatchObject({ type: 'task.accepted', taskId: TASK_ID });
  expect(JSON.parse(stored?.data ?? '')).toMatchObject({ detail: { note: 'x' } });
});

test('OC-CTRL-2013 an admission the ledger refuses is withdrawn and answered with 503', async () => {
  const { core, ledger, clock, effects, host } = setUp();
  vi.spyOn(ledger, 'write').mockRejectedValueOnce(new LedgerError('disk-full', 'no space'));
  const { durable } = host.admit(admission(TASK_ID));
  await expect(durable).rejects.toMatchObject({ kind: 'POOL_UNAVAILABLE', status: 503 });
  expect(core.task(TASK_ID, clock.now())).toBeUndefined();
  expect(effects.at(-1)).toMatchObject({
    type: 'ended',
    taskId: TASK_ID,
    outcome: { kind: 'canceled', reason: 'withdrawn' },
  });
  await clock.advance(5_000);
  // Without a gap: what was written behind it may build on it.
  const stored = await ledger.readEvents(0, 10);
  expect(stored.map((event) => event.type)).toEqual(['task.accepted', 'task.ended']);
});

test('OC-CTRL-2013 while the ledger is broken admissions are refused at once', async () => {
  const { ledger, host } = setUp();
  vi.spyOn(ledger, 'write').mockRejectedValue(new LedgerError('io', 'broken'));
  host.apply({ type: 'drain', poolId: 'p', deadlineMs: 10 });
  await settle();
  expect(() => host.admit(admission(TASK_ID))).toThrow(OrchError);
});

test('what an effect wants written is in the transaction of its step, and told when durable', async () => {
  const onDurable = vi.fn();
  const { ledger, host } = setUp((effect) =>
    effect.type === 'ended'
      ? {
          transcript: { taskId: TASK_ID, firstId: 1, entries: ['"end"'] },
          archive: {
            taskId: TASK_ID,
            acceptedSeq: 1,
            endedAtMs: 5,
            tenantId: 'default',
            poolId: 'p',
            priority: 'interactive',
            sessionId: undefined,
            state: 'canceled',
            view: '{}',
          },
          onDurable,
        }
      : undefined,
  );
  await host.admit(admission(TASK_ID)).durable;
  const write = vi.spyOn(ledger, 'write');
  await host.apply({ type: 'cancel', taskId: TASK_ID, reason: 'client' }).durable;
  expect(write).toHaveBeenCalledTimes(1);
  expect(onDurable).toHaveBeenCalledTimes(1);
  expect((await ledger.findArchived(TASK_ID))?.state).toBe('canceled');
  expect(await ledger.readTranscript(TASK_ID, 0, 10)).toEqual(['"end"']);
});

test('the core is woken when something falls due', async () => {
  const { core, clock, host } = setUp();
  host.apply({
    type: 'replica-set',
    replica: { replicaId: 'r', poolId: 'p', setId: 's', slots: 1, ctx: 128, ready: true },
  });
  await host.admit(admission(TASK_ID)).durable;
  expect(core.task(TASK_ID, clock.now())?.attempt).toBe(1);
  await clock.advance(600);
  expect(core.task(TASK_ID, clock.now())?.attempt).toBe(2);
});

test('a handler that steps the core from inside a step is a mistake we hear of', () => {
  const state: { host?: CoreHost } = {};
  const { host } = setUp((effect) => {
    if (effect.type === 'accepted') state.host?.apply({ type: 'tick' });
    return undefined;
  });
  state.host = host;
  expect(() => host.admit(admission(TASK_ID))).toThrow(/inside another/);
});
