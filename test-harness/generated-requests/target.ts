/**
 * What generated requests are sent to: a real daemon over simulated engines, with tasks and sessions whose
 * ids are known beforehand, so that the same seed gives the same requests.
 */
import type { PoolHealthView, TaskRequest } from '@llama-orch/contracts';
import { startLlamaCppSim } from '../engines/llamacpp/sim.ts';
import type { DaemonClient } from '../src/daemon-client.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { externalPool } from '../src/temp-config.ts';

/** Context of the pool for completions, tokens. */
export const CTX = 1_024;
/** Tokens that the simulated model answers with. */
const TOKENS = 3;
const SLOTS = 16;
/** Bodies above this are refused for their size, whatever is in them. */
export const MAX_BODY_BYTES = 4_194_304;
/** No generated request is refused for a full queue; that has its own tests. */
const CAPACITY = 1_000_000;
const KEPT_TASKS = 10_000_000;

export const POOLS = {
  /** Serves completions. */
  completion: 'default',
  /** Embeds and ranks. */
  whole: 'whole',
  /** Operators drain, reload and change this one; no task names its model. */
  spare: 'spare',
  /** Its replicas are on hosts. */
  remote: 'remote',
} as const;

/** What tasks may name: all else is a model that nobody serves. */
export const MODELS: readonly string[] = ['sim', 'whole', 'spare', 'remote'];

const numbered = (kind: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `${kind}0000000-0000-4000-8000-00000000000${n}`);
/** Tasks that have ended, by the time that requests are generated. */
export const TASK_IDS = numbered('a', 4);
/** Sessions that exist until a request deletes them, or again after one names them. */
export const SESSION_IDS = numbered('b', 4);
export const HOST_IDS = ['host-a', 'host-b'] as const;

/** What the daemon's answers depend on beside the request. */
export interface Target {
  readonly client: DaemonClient;
  readonly ctx: number;
  /** Whether a pool takes strict tasks. */
  readonly takesStrict: (poolId: string) => boolean;
}

export interface RunningTarget extends Target, AsyncDisposable {
  readonly daemon: DaemonProcess;
}

export async function startTarget(): Promise<RunningTarget> {
  const stack = new AsyncDisposableStack();
  try {
    const pool = { slots: SLOTS, ctx: CTX, determinism: 'exact' } as const;
    const sims = await Promise.all(
      [0, 1, 2].map(() => startLlamaCppSim({ slots: SLOTS, ctx: CTX, tokens: TOKENS })),
    );
    for (const sim of sims) stack.use(sim);
    const [one, two, three] = sims.map(({ url }) => url);
    if (!one || !two || !three) throw new Error('unreachable: three simulators were started');
    const queue = { capacity: CAPACITY };
    const daemon = await startDaemon({
      config: {
        server: { body_limit_bytes: MAX_BODY_BYTES },
        retention: { max_tasks: KEPT_TASKS },
        pools: [
          externalPool([one], { ...pool, queue, id: POOLS.completion }),
          externalPool([two], {
            ...{ ...pool, queue, id: POOLS.whole, model: { id: 'whole' } },
            workloads: ['embedding', 'rerank'],
          }),
          externalPool([three], { ...pool, id: POOLS.spare, model: { id: 'spare' } }),
          { id: POOLS.remote, launch: 'remote', model: { id: 'remote' } },
        ],
      },
    });
    stack.use(daemon);
    const { client } = daemon;
    for (const id of [POOLS.completion, POOLS.whole, POOLS.spare]) await client.untilReady(1, id);
    for (const [n, task_id] of TASK_IDS.entries()) {
      const session_id = SESSION_IDS[n];
      const task: TaskRequest = { task_id, prompt: 'known', max_tokens: 2 };
      await client.run(session_id === undefined ? task : { ...task, session_id });
    }
    const strict = await strictPools(client);
    const owned = stack.move();
    return {
      daemon,
      client,
      ctx: CTX,
      takesStrict: (poolId) => strict.has(poolId),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Waiting and running tasks of the pool for completions. */
export async function backlogOf({ client }: Target): Promise<number> {
  const { metrics }: PoolHealthView = await client.poolHealth(POOLS.completion);
  return metrics.queue_depth + metrics.running;
}

async function strictPools(client: DaemonClient): Promise<ReadonlySet<string>> {
  const answer = await client.call('getCapabilities');
  const { engines } = answer.body as {
    engines: { models: { pool_id: string; determinism: string }[] }[];
  };
  const models = engines.flatMap((engine) => engine.models);
  return new Set(models.filter((m) => m.determinism !== 'none').map((m) => m.pool_id));
}
