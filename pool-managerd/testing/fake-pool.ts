import { createPoolManager } from '../src/pool-manager.ts';
import type { PoolManagerOptions } from '../src/pool-manager.ts';
import type { PoolConfig } from '../src/pool-config.ts';
import type { PoolEvent, PoolManager, ReplicaState } from '../src/types.ts';
import { FakeEngine } from './fake-engine.ts';
import type { FakeBehaviour } from './fake-engine.ts';
import { VirtualClock } from './virtual-clock.ts';

export const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

const PLENTY = { hostFreeBytes: 2 ** 40, gpus: undefined };

/** A machine with room for every model; asking it takes no time. */
export const ROOMY = {
  memoryProbe: { read: () => Promise.resolve(PLENTY), oomKills: () => undefined },
  measureModel: () => Promise.resolve({ bytes: 1000, kvBytesPerToken: 0 }),
};

export interface FakePool extends AsyncDisposable {
  readonly manager: PoolManager;
  readonly clock: VirtualClock;
  readonly engine: FakeEngine;
  readonly events: PoolEvent[];
  state(index?: number): ReplicaState;
  /** The states seen so far, in order. */
  states(): readonly ReplicaState[];
}

/** A manager of one pool, `default`, on virtual time, with fake engines; not started yet. */
export function openFakePool(
  config: Partial<PoolConfig> = {},
  behaviour: Partial<FakeBehaviour> = {},
  options: Partial<PoolManagerOptions> = {},
): FakePool {
  const clock = new VirtualClock();
  const engine = new FakeEngine(behaviour);
  const events: PoolEvent[] = [];
  const manager = createPoolManager({
    pools: [
      {
        id: 'default',
        engine: 'llamacpp',
        launch: 'embedded',
        modelPath: '/models/tiny.gguf',
        modelId: 'tiny',
        ctx: 1024,
        ...config,
      },
    ],
    dataDir: '/nonexistent',
    openAdapter: () => engine.openAdapter,
    embeddedEntry: 'embedded.ts',
    clock,
    // The middle of every jitter range: half the bound.
    random: { next: () => 0.5 },
    logger: SILENT,
    spawn: engine.spawn,
    readModelFacts: () =>
      Promise.resolve({ digest: 'sha256:abc', quant: 'Q4_0', kvBytesPerToken: 0 }),
    ...ROOMY,
    ...options,
  });
  manager.subscribe((event) => events.push(event));
  return {
    manager,
    clock,
    engine,
    events,
    state: (index = 0) => manager.replicas('default')[index]!.state,
    states: () =>
      events.flatMap((event) =>
        event.type === 'replica' || event.type === 'replica-gone' ? event.replica.state : [],
      ),
    async [Symbol.asyncDispose]() {
      const stopped = manager.stop(100);
      await clock.advance(60_000);
      await stopped;
    },
  };
}

export function startFakePool(...how: Parameters<typeof openFakePool>): FakePool {
  const pool = openFakePool(...how);
  pool.manager.start();
  return pool;
}
