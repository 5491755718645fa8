import type { PromptPrefix, SessionView } from '@llama-orch/orchestrator-core';
import type { Lease, PoolManager, ReplicaHandle, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { settle, VirtualClock } from '@llama-orch/pool-managerd/testing';
import { EngineError, type SlotKeeper, type WorkerAdapter } from '@llama-orch/worker-adapters';
import { describe, expect, test, vi } from 'vitest';
import type { Logger } from '../logging.ts';
import { KvKeeper } from './kv-keeper.ts';
import { LiveTask } from './live-task.ts';

const REPLICA_ID = 'p-0';

/** An engine's slots and its folder. */
class FakeSlots implements SlotKeeper {
  readonly files = new Map<string, string>();
  /** What each slot holds, for the test to see. */
  readonly held = new Map<number, string>();
  readonly calls: string[] = [];
  /** Thrown, or answered, instead of saving; `silent` answers nothing until it is aborted. */
  saveFails: Error | 'cannot' | 'silent' | undefined;

  async save(slotId: number, file: string, signal?: AbortSignal): Promise<boolean> {
    this.calls.push(`save ${slotId}`);
    if (this.saveFails === 'silent') await untilAborted(signal);
    if (this.saveFails instanceof Error) throw this.saveFails;
    if (this.saveFails === 'cannot') return false;
    this.files.set(file, this.held.get(slotId) ?? '');
    return true;
  }

  restore(slotId: number, file: string): Promise<boolean> {
    this.calls.push(`restore ${slotId}`);
    const text = this.files.get(file);
    if (text !== undefined) this.held.set(slotId, text);
    return Promise.resolve(text !== undefined);
  }

  erase(slotId: number): Promise<boolean> {
    this.calls.push(`erase ${slotId}`);
    this.held.delete(slotId);
    return Promise.resolve(true);
  }
}

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

interface Use {
  readonly session?: string;
  readonly strict?: boolean;
  readonly prefix?: PromptPrefix;
}

function setUp({ exactPrefixReuse = false } = {}) {
  const engine = new FakeSlots();
  const clock = new VirtualClock();
  const warn = vi.fn();
  const sessions = new Map<string, SessionView>();
  const state = { setId: 'set', lost: false };
  const snapshot = () =>
    ({
      replicaId: REPLICA_ID,
      poolId: 'p',
      setId: state.setId,
      exactPrefixReuse,
    }) as ReplicaSnapshot;
  const lease = { replicaId: REPLICA_ID, token: 1 } as Lease;
  const pools: Pick<PoolManager, 'replicas' | 'use'> = {
    replicas: () => [snapshot()],
    use: () => {
      if (state.lost) throw new Error('fenced');
      const adapter = { slots: engine } as Partial<WorkerAdapter> as WorkerAdapter;
      return { snapshot: snapshot(), adapter, envelope: undefined } satisfies ReplicaHandle;
    },
  };
  const keeper = new KvKeeper({
    pools,
    leaseOf: () => lease,
    sessionOf: (sessionId) => sessions.get(sessionId),
    secret: new Uint8Array(32),
    clock,
    log: { info: () => undefined, warn } as unknown as Logger,
  });
  /** A task has ended on a slot, and its session, if any, is at home there. */
  const use = (slotId: number, { session, strict = false, prefix }: Use): void => {
    if (session !== undefined) place(session, REPLICA_ID, 100 + slotId);
    engine.held.set(slotId, session ?? 'no session');
    const task = liveTask(session, strict);
    task.replica = snapshot();
    const result = { finishReason: 'stop', tokensIn: 1, tokensOut: 1, cachedTokens: 0 } as const;
    keeper.note(task, REPLICA_ID, { ...result, decodeMs: 1, slotId }, prefix);
  };
  const place = (sessionId: string, replicaId: string | undefined, kvTokens = 0): void => {
    sessions.set(sessionId, { sessionId, poolId: 'p', replicaId, kvTokens } as SessionView);
  };
  /** The replica ends, and another takes its place: all sessions are cold, all slots empty. */
  const swap = (): void => {
    keeper.replicaGone(REPLICA_ID);
    engine.held.clear();
    engine.calls.length = 0;
    for (const sessionId of sessions.keys()) place(sessionId, undefined);
  };
  return { keeper, engine, clock, warn, sessions, state, lease, use, place, swap };
}

function liveTask(sessionId: string | undefined, strict: boolean): LiveTask {
  const determinism = strict ? 'strict' : 'best_effort';
  return new LiveTask({
    taskId: '00000000-0000-4000-8000-000000000001',
    tenantId: 'default',
    poolId: 'p',
    modelId: 'm',
    engine: 'llamacpp',
    correlationId: 'c',
    request: {
      prompt: 'a secret',
      determinism,
      ...(sessionId === undefined ? {} : { session_id: sessionId }),
    },
    promptFormat: 'raw',
    seed: '1',
    requestHash: undefined,
    acceptedAtMs: 0,
    deadlineAtMs: undefined,
  });
}

const prefixOf = (hash: number): PromptPrefix => ({ blockTokens: 64, hashes: [hash] });

describe('OC-CTRL-2088 KV over an unload', () => {
  test('sessions and conversations are saved, the last used first, and restored into their slots', async () => {
    const { keeper, engine, lease, use, swap } = setUp();
    use(0, { session: 'a' });
    use(1, { prefix: prefixOf(1) });
    use(2, { session: 'b', prefix: prefixOf(2) });
    use(3, {});
    expect(await keeper.save('p')).toBe(true);
    expect(engine.calls).toEqual(['save 2', 'save 1', 'save 0']);
    for (const file of engine.files.keys()) expect(file).toMatch(/^llama-orch-[0-9a-f]{32}\.kv$/);
    swap();
    expect(await keeper.restore(lease)).toEqual({
      sessions: [
        { sessionId: 'a', kvTokens: 100 },
        { sessionId: 'b', kvTokens: 102 },
      ],
      prefixes: [prefixOf(1), prefixOf(2)],
    });
    expect([...engine.held]).toEqual([
      [2, 'b'],
      [1, 'no session'],
      [0, 'a'],
    ]);
    expect(keeper.restore(lease)).toBeUndefined();
  });

  test('a session that used several slots is saved from the last of them', async () => {
    const { keeper, engine, use } = setUp();
    use(0, { session: 'a' });
    use(1, { session: 'a' });
    expect(await keeper.save('p')).toBe(true);
    expect(engine.calls).toEqual(['save 1']);
  });

  test('what no task would use is not saved: of strict tasks, where reuse changes bytes', async () => {
    const inexact = setUp();
    inexact.use(0, { session: 'a', strict: true });
    expect(await inexact.keeper.save('p')).toBeUndefined();
    const exact = setUp({ exactPrefixReuse: true });
    exact.use(0, { session: 'a', strict: true });
    expect(await exact.keeper.save('p')).toBe(true);
  });

  test('nor what a session left behind that has ended or moved', async () => {
    const { keeper, sessions, use, place } = setUp();
    use(0, { session: 'ended' });
    use(1, { session: 'moved' });
    sessions.delete('ended');
    place('moved', 'p-1');
    expect(await keeper.save('p')).toBeUndefined();
  });

  test('what was restored and not used since is not written again', async () => {
    const { keeper, engine, lease, use, place, swap } = setUp();
    use(0, { session: 'a' });
    use(1, { session: 'b' });
    await keeper.save('p');
    swap();
    await keeper.restore(lease);
    for (const session of ['a', 'b']) place(session, REPLICA_ID, 50);
    use(1, { session: 'c' });
    engine.calls.length = 0;
    expect(await keeper.save('p')).toBe(true);
    expect(engine.calls).toEqual(['save 1']);
    swap();
    expect(await keeper.restore(lease)).toMatchObject({
      sessions: [
        { sessionId: 'a', kvTokens: 50 },
        { sessionId: 'c', kvTokens: 101 },
      ],
    });
    expect([...engine.held.values()]).toEqual(['c', 'a']);
  });

  test.each(['ended', 'moved'] as const)(
    'a session that has %s since is not restored',
    async (how) => {
      const { keeper, engine, sessions, lease, use, swap, place } = setUp();
      use(0, { session: 'a' });
      use(1, { session: 'b' });
      await keeper.save('p');
      swap();
      if (how === 'moved') place('b', 'p-1');
      else {
        keeper.sessionEnded('b');
        // Another one took its id.
        sessions.set('b', { ...sessions.get('b'), turns: 1 } as SessionView);
      }
      expect(await keeper.restore(lease)).toMatchObject({ sessions: [{ sessionId: 'a' }] });
      expect(engine.calls).toEqual(['restore 0']);
    },
  );

  test('one that ends while it is restored is erased', async () => {
    const { keeper, engine, lease, use, swap } = setUp();
    use(0, { session: 'a' });
    await keeper.save('p');
    swap();
    const restored = keeper.restore(lease);
    keeper.sessionEnded('a');
    expect(await restored).toEqual({ sessions: [], prefixes: [] });
    expect(engine.held.size).toBe(0);
  });

  test('a replica of another set is given nothing', async () => {
    const { keeper, engine, state, lease, use, swap } = setUp();
    use(0, { session: 'a' });
    await keeper.save('p');
    swap();
    state.setId = 'of another model';
    expect(keeper.restore(lease)).toBeUndefined();
    state.setId = 'set';
    expect(keeper.restore(lease)).toBeUndefined();
    expect(engine.calls).toEqual([]);
  });

  test('a file that is gone leaves its session cold, and the others are restored', async () => {
    const { keeper, engine, lease, use, swap } = setUp();
    use(0, { session: 'a' });
    use(1, { session: 'b' });
    await keeper.save('p');
    swap();
    const [ofB] = engine.files.keys();
    engine.files.delete(ofB ?? '');
    expect(await keeper.restore(lease)).toMatchObject({ sessions: [{ sessionId: 'a' }] });
  });
});

describe('OC-CTRL-2088 engines that do not save', () => {
  test('one that cannot is asked once', async () => {
    for (const fails of ['cannot', new EngineError('permanent', 'llamacpp', 'refused')] as const) {
      const { keeper, engine, use } = setUp();
      engine.saveFails = fails;
      use(0, { session: 'a' });
      use(1, { session: 'b' });
      expect(await keeper.save('p')).toBe(false);
      expect(await keeper.save('p')).toBe(false);
      expect(engine.calls).toEqual(['save 1']);
    }
  });

  test('one that fails is not asked for more, and is asked the next time', async () => {
    const { keeper, engine, warn, use, lease } = setUp();
    engine.saveFails = new EngineError('broken', 'llamacpp', 'connection reset');
    use(0, { session: 'a' });
    use(1, { session: 'b' });
    expect(await keeper.save('p')).toBe(false);
    expect(engine.calls).toEqual(['save 1']);
    expect(JSON.stringify(warn.mock.calls)).not.toContain('secret');
    expect(keeper.restore(lease)).toBeUndefined();
    engine.saveFails = undefined;
    expect(await keeper.save('p')).toBe(true);
  });

  test('one that does not answer holds up the unload for a few seconds', async () => {
    const { keeper, engine, clock, use } = setUp();
    use(0, { session: 'a' });
    use(1, { session: 'b' });
    engine.saveFails = 'silent';
    let outcome: boolean | 'waits' | undefined = 'waits';
    void keeper.save('p').then((told) => (outcome = told));
    await clock.advance(4_999);
    expect(outcome).toBe('waits');
    await clock.advance(1);
    expect(outcome).toBe(false);
    expect(engine.calls).toEqual(['save 1']);
    expect(clock.pending).toBe(0);
  });

  test('a replica that is lost is not asked', async () => {
    const { keeper, engine, state, lease, use, swap } = setUp();
    use(0, { session: 'a' });
    state.lost = true;
    expect(await keeper.save('p')).toBeUndefined();
    state.lost = false;
    await keeper.save('p');
    swap();
    state.lost = true;
    expect(keeper.restore(lease)).toBeUndefined();
    await settle();
    expect(engine.calls).toEqual([]);
  });
});

test('OC-CORE-1017 the KV of a session is erased from every slot that it used last', async () => {
  const { keeper, engine, use } = setUp();
  use(0, { session: 'a' });
  use(1, { session: 'b' });
  use(2, { session: 'a' });
  await keeper.erase('a', REPLICA_ID);
  expect([...engine.held.keys()]).toEqual([1]);
});
