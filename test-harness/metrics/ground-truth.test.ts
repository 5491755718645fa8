/** Every value of the metrics against what this test counts by itself (OC-METRICS-7110). */
import type { EventPage } from '@llama-orch/contracts';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Scrape } from '../src/metrics-text.ts';
import { sumOf } from '../src/metrics-text.ts';
import { waitFor } from '../src/wait-for.ts';
import { readContract } from './contract-list.ts';
import {
  DRIFT,
  GPU,
  MARK,
  startProvingGround,
  TENANTS,
  type ProvingGround,
} from './proving-ground.ts';
import { checkScrape } from './scrape-check.ts';
import { Tally } from './tally.ts';
import { Workload } from './workload.ts';

const STARTS_MS = 60_000;
vi.setConfig({ testTimeout: 2 * STARTS_MS, hookTimeout: 2 * STARTS_MS });

const TASKS = Number(process.env['METRICS_TASKS'] ?? 240);
const SEED = Number(process.env['METRICS_SEED'] ?? 1);

/** What nothing outside the daemon can count, and why. */
const WITHOUT_TRUTH: Readonly<Record<string, string>> = {
  ledger_commit_ms: 'the time of an fsync is seen by nobody else; its count is that of the batches',
};

/** Leases are also renewed every few seconds: how often that is before a load is over is chance. */
const UNCOUNTED_BESIDE = ['lease_events_total'];

const contract = readContract();
const counted = new Set<string>();
let ground: ProvingGround;

beforeAll(async () => {
  ground = await startProvingGround();
});
afterAll(() => ground[Symbol.asyncDispose]());

/** Runs it, and holds what rose against what it counted. */
async function proven(run: (tally: Tally) => Promise<void>, within = {}): Promise<void> {
  const tally = new Tally(UNCOUNTED_BESIDE);
  const before = await ground.settled();
  await run(tally);
  let faults: readonly string[] = [];
  await waitFor('the counters to be what was counted', async () => {
    faults = tally.compare(before, await ground.settled(), within);
    return faults.length === 0;
  }).catch(() => undefined);
  expect(faults, `seed ${SEED}`).toEqual([]);
  for (const family of tally.families) counted.add(family);
}

describe('OC-METRICS-7110 values are true', () => {
  test(`OC-METRICS-7125 of ${TASKS} tasks that end in every way, and of every refusal`, async () => {
    const startedMs = performance.now();
    let mixed: Workload | undefined;
    await proven(async (tally) => {
      mixed = new Workload(ground, tally, SEED);
      await mixed.mixed(TASKS);
      await mixed.failovers();
      await mixed.refusals();
      await mixed.missedDeadline();
      mixed.countRefusedStarts();
      expect(tally.total('tasks_canceled_total')).toBeGreaterThan(0);
      expect(tally.total('tasks_failed_total')).toBeGreaterThan(0);
    });
    const now = await ground.scrape();
    if (mixed === undefined) throw new Error('nothing ran');
    checkDeadlines(now, mixed);
    checkShares(now, mixed, performance.now() - startedMs);
  });

  test('of a full queue, of readers, and of tasks that pass and stop others', async () => {
    await proven(async (tally) => {
      const workload = new Workload(ground, tally, SEED);
      await workload.fullQueue(async (queued, open) => {
        const now = await ground.scrape();
        for (const [priority, depth] of Object.entries(queued)) {
          expect(sumOf(now, 'queue_depth', { pool_id: 'small', priority })).toBe(depth);
        }
        expect(sumOf(now, 'queue_depth')).toBe(queued.interactive + queued.batch);
        expect(sumOf(now, 'sse_streams_open')).toBe(open);
      });
      await workload.preemption();
    });
    counted.add('queue_depth').add('sse_streams_open');
  });

  test('of engines that die, of models that change, and of leases on them', async () => {
    await proven(
      async (tally) => {
        const workload = new Workload(ground, tally, SEED);
        await workload.simple('first', 2);
        await killEngine(tally, 1);
        ground.breakDriverOnce();
        await killEngine(tally, 2);
        tally.add('replica_restarts_total', { reason: 'driver' });
        tally.add('preload_outcomes_total', { outcome: 'failed' });
        tally.add('driver_resets_total', { device: 'cuda:0' });
        await workload.simple('first', 1);
      },
      { pool_id: 'owned' },
    );
    await proven(
      async (tally) => {
        const workload = new Workload(ground, tally, SEED);
        await change('reloadPool', { new_model_ref: 'second' }, 1);
        tally.add('preload_outcomes_total', { outcome: 'ok' });
        await workload.simple('second', 2);
        await change('canaryPool', { new_model_ref: 'third', percent: 100, replicas: 1 }, 2);
        tally.add('preload_outcomes_total', { outcome: 'ok' });
        await workload.simple('second', 3);
        await change('rollbackPool', undefined, 1);
      },
      { pool_id: 'owned' },
    );
  });

  test('of a pool that is loaded for its tasks and unloaded after them', async () => {
    const states = async (state: string) =>
      sumOf(await ground.scrape(), 'replicas', { pool_id: 'turns', state });
    const unloaded = () =>
      waitFor('the unload', async () => {
        const { loaded, replicas } = await ground.operator.poolHealth('turns');
        return loaded === false && replicas.length === 0;
      });
    await unloaded();
    await proven(
      async (tally) => {
        const workload = new Workload(ground, tally, SEED);
        for (let turn = 0; turn < 2; turn += 1) {
          await workload.simple('turns', 1);
          await unloaded();
          tally.add('preload_outcomes_total', { outcome: 'ok' });
          tally.add('lease_events_total', { event: 'granted' });
          tally.add('lease_events_total', { event: 'released' });
        }
      },
      { pool_id: 'turns' },
    );
    expect(await states('ready')).toBe(0);
    expect(await states('stopped')).toBe(0);
  });

  test('OC-METRICS-7128 of audits, which count as nothing else', async () => {
    const flagged = async () => sumOf(await ground.scrape(), 'replica_drifting');
    await proven(
      async (tally) => {
        const workload = new Workload(ground, tally, SEED);
        for (const outcome of ['match', 'match', 'drift'] as const) {
          expect(await flagged()).toBe(0);
          const seed = outcome === 'drift' ? DRIFT.seed : DRIFT.seed + 1;
          await workload.simple('audited', 1, { seed });
          tally.add('determinism_audits_total', { outcome, reason: '' });
          await waitFor('its audit', async () => {
            const now = sumOf(await ground.scrape(), 'determinism_audits_total');
            return now === tally.total('determinism_audits_total');
          });
        }
      },
      { pool_id: 'audited' },
    );
    // Nobody knows which of the two is right.
    expect(await flagged()).toBe(2);
    counted.add('replica_drifting');
  });

  test('OC-METRICS-7124 OC-METRICS-7126 of gauges: replicas as health shows them, KV as the engines say, the GPU as its driver does', async () => {
    const now = await ground.scrape();
    for (const [pool, ready] of [
      ['chat', 2],
      ['small', 1],
      ['owned', 1],
      ['turns', 0],
    ] as const) {
      const { replicas } = await ground.operator.poolHealth(pool);
      expect(replicas.filter(({ state }) => state === 'ready')).toHaveLength(ready);
      expect(sumOf(now, 'replicas', { pool_id: pool, state: 'ready' })).toBe(ready);
      expect(sumOf(now, 'replicas', { pool_id: pool })).toBe(replicas.length);
    }
    for (const [at, sim] of ground.chat.entries()) {
      const labels = { pool_id: 'chat', replica_id: `chat-${at}` };
      await waitFor('the share of KV in use', async () => {
        const told = sumOf(await ground.scrape(), 'kv_cache_usage_ratio', labels);
        return told > 0 && Math.abs(told - (await kvUsage(sim.url))) < 1e-9;
      });
    }
    // Those of earlier models are gone, and so is what their engines said.
    await waitFor('the KV of the present replicas alone', async () => {
      const { replicas } = await ground.operator.poolHealth('owned');
      const told = (await ground.scrape()).samples.filter(
        ({ name, labels }) => name === 'kv_cache_usage_ratio' && labels['pool_id'] === 'owned',
      );
      const ids = told.map(({ labels }) => labels['replica_id']);
      return ids.join() === replicas.map((replica) => replica.replica_id).join();
    });
    const gpu = { pool_id: 'owned', device: 'cuda:0' };
    await waitFor(
      'a look at the GPU',
      async () => sumOf(await ground.scrape(), 'gpu_utilization', gpu) === GPU.utilization,
      30_000,
    );
    expect(sumOf(await ground.scrape(), 'vram_used_bytes', gpu)).toBe(GPU.usedMib * 2 ** 20);
    for (const name of ['replicas', 'kv_cache_usage_ratio', 'gpu_utilization', 'vram_used_bytes']) {
      counted.add(name);
    }
  });

  test('of the ledger: as many events as its list has', async () => {
    await waitFor('both to say the same', async () => {
      const now = await ground.settled();
      const batches = sumOf(now, 'ledger_batch_events_count');
      expect(sumOf(now, 'ledger_commit_ms_count')).toBe(batches);
      return sumOf(now, 'ledger_batch_events_sum') === (await eventsInLedger());
    });
    counted.add('ledger_batch_events');
  });

  test('ORCH-3028 OC-CTRL-2051 OC-METRICS-7101 OC-METRICS-7102 OC-METRICS-7111 after all of that the scrape is as the list has it', async () => {
    const exposition = await ground.exposition();
    expect(checkScrape(contract, exposition)).toEqual([]);
    // Ids of tasks, sessions and requests, and what clients wrote, are no labels.
    expect(exposition).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
    expect(exposition).not.toContain(MARK);
  });

  test('no family is without its ground truth, but for a reason', () => {
    const without = contract.families.map(({ name }) => name).filter((name) => !counted.has(name));
    expect(without).toEqual(Object.keys(WITHOUT_TRUTH));
  });
});

function checkDeadlines(now: Scrape, { deadlines }: Workload): void {
  for (const [priority, of] of Map.groupBy(deadlines, (each) => each.priority)) {
    const kept = of.filter(({ isKept }) => isKept).length / of.length;
    expect(sumOf(now, 'deadlines_met_ratio', { priority })).toBeCloseTo(kept, 9);
  }
  expect(deadlines.some(({ isKept }) => !isKept)).toBe(true);
  counted.add('deadlines_met_ratio');
}

/** What was served first has faded most, at most by as much as the time that has passed allows. */
function checkShares(now: Scrape, { served }: Workload, tookMs: number): void {
  const fade = Math.exp(-tookMs / 60_000);
  const all = [...served.values()].reduce((sum, cost) => sum + cost, 0);
  for (const tenant of TENANTS) {
    for (const priority of ['interactive', 'batch']) {
      const own = served.get(`${tenant} ${priority}`) ?? 0;
      const share = sumOf(now, 'admission_share', { tenant, priority });
      expect(share).toBeGreaterThanOrEqual((own * fade) / (own * fade + all - own) - 1e-9);
      expect(share).toBeLessThanOrEqual(own / (own + (all - own) * fade) + 1e-9);
    }
  }
  expect(sumOf(now, 'admission_share')).toBeCloseTo(1, 9);
  counted.add('admission_share');
}

/**
 * As the kernel's out-of-memory killer would. Resolves when another engine is ready.
 * @param restarts that it takes
 */
async function killEngine(tally: Tally, restarts: number): Promise<void> {
  const engine = ground.daemon
    .children()
    .find(({ command }) => /simulator|llamacpp.*main\.ts/.test(command));
  if (engine === undefined) throw new Error('no engine of its own runs');
  const before = await restartsOfOwned();
  process.kill(engine.pid, 'SIGKILL');
  await waitFor(
    'another engine',
    async () => (await restartsOfOwned('ready')) === before + restarts,
    STARTS_MS,
  );
  tally.add('replica_restarts_total', { reason: 'exit' });
  tally.add('preload_outcomes_total', { outcome: 'ok' });
}

/** NaN while its replica is not in that state. */
async function restartsOfOwned(state?: string): Promise<number> {
  const { replicas } = await ground.operator.poolHealth('owned');
  const [replica] = replicas;
  return replica === undefined || (state ?? replica.state) !== replica.state
    ? NaN
    : replica.restarts;
}

async function change(
  operation: 'reloadPool' | 'canaryPool' | 'rollbackPool',
  body: object | undefined,
  replicas: number,
): Promise<void> {
  const options = { path: ['owned'], ...(body === undefined ? {} : { body }) };
  const answer = await ground.operator.call(operation, options);
  expect(answer.status, answer.text).toBe(202);
  await waitFor(
    'the end of the change',
    async () => {
      const health = await ground.operator.poolHealth('owned');
      const isOver = health.change === undefined || operation === 'canaryPool';
      const ready = health.replicas.filter(({ state }) => state === 'ready');
      return isOver && ready.length === replicas && health.replicas.length === replicas;
    },
    STARTS_MS,
  );
}

async function kvUsage(url: string): Promise<number> {
  const slots = (await (await fetch(`${url}/slots`)).json()) as readonly {
    readonly n_ctx: number;
    readonly n_prompt_tokens?: number;
  }[];
  const held = slots.reduce((sum, slot) => sum + (slot.n_prompt_tokens ?? 0), 0);
  return held / slots.reduce((sum, slot) => sum + slot.n_ctx, 0);
}

async function eventsInLedger(): Promise<number> {
  let after = 0;
  for (;;) {
    const { body } = await ground.operator.call('listEvents', { query: { after, limit: 1_000 } });
    const { items, next_after: next } = body as EventPage;
    if (items.length === 0) return after;
    after = next;
  }
}
