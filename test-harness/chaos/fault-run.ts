/**
 * Faults of every kind under load: a pool of each engine, simulators that fail a share of what they are
 * asked, engines that die and come back, and clients that read, leave, return, dawdle and cancel. Every
 * task is judged by itself, and the daemon by what it holds when all is over.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CHAT_TEMPLATE } from '../engines/kit/chat.ts';
import { createRandom } from '../sim/seeded-random.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { parseMetrics, sumOf } from '../src/metrics-text.ts';
import { within } from '../src/wait-for.ts';
import { runTask, type TaskOutcome } from './fault-client.ts';
import { EngineProcess, FAULT_POOLS, OWNED_POOL, toPoolConfig } from './fault-engines.ts';
import { planTask, type PlannedTask } from './fault-tasks.ts';
import { judge, readFaultLog, type Struck } from './fault-verdict.ts';
import { footprintWhenIdle, type Footprint } from './leftovers.ts';

export interface FaultOptions {
  readonly tasks: number;
  /** Of everything that is drawn. */
  readonly seed: number;
  /** Of 100 completions, how many an engine fails. */
  readonly percent: number;
  /** Tasks whose clients are about at once. */
  readonly open: number;
  readonly replicas: number;
  /** One engine is killed and started again for so many tasks. */
  readonly killEvery: number;
  readonly onProgress?: (done: number) => void;
}

export interface FaultReport {
  readonly options: FaultOptions;
  readonly outcomes: readonly TaskOutcome[];
  readonly struck: Struck;
  /** Engines killed from outside. */
  readonly killed: number;
  readonly tookMs: number;
  /** Idle: before the load, after half of it, after all of it. */
  readonly footprints: readonly [Footprint, Footprint, Footprint];
  /** One line each; empty is success. */
  readonly violations: readonly string[];
}

/** Everything accepted ends within this time, and each half of the load takes no longer. */
const HALF_MS = 900_000;
const LONGEST_DOWN_MS = 800;
/** Fewer than either half has, so that both end with as many kept. */
const KEPT_SHARE = 0.1;
/** A stream of draws of its own, beside those of the tasks. */
const KILLS = -1;

/** @throws Error when something cannot be started */
export async function runFaults(options: FaultOptions): Promise<FaultReport> {
  const directory = mkdtempSync(join(tmpdir(), 'llama-orch-faults-'));
  const log = join(directory, 'faults.jsonl');
  const template = join(directory, 'chat.jinja');
  writeFileSync(log, '');
  writeFileSync(template, CHAT_TEMPLATE);
  const drawing = { percent: options.percent, seed: options.seed, log };
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(directory, { recursive: true }));

  const engines = FAULT_POOLS.filter(({ id }) => id !== OWNED_POOL).flatMap((pool, at) =>
    Array.from({ length: options.replicas }, (_, replica) =>
      stack.use(new EngineProcess(pool, drawing, at * options.replicas + replica)),
    ),
  );
  await Promise.all(engines.map((engine) => engine.start()));
  const pools = FAULT_POOLS.map((pool) => {
    const endpoints = engines.filter((engine) => engine.pool === pool).map(({ url }) => url);
    return { replicas: options.replicas, ...toPoolConfig(pool, endpoints, drawing, template) };
  });
  const retention = { max_tasks: Math.max(200, Math.floor(options.tasks * KEPT_SHARE)) };
  // Connections that clients keep alive are no leak, but would hide one.
  const server = { idle_timeout_ms: 2_000 };
  const daemon = stack.use(
    await startDaemon({ config: { server, pools, retention }, args: ['--log-level', 'warn'] }),
  );

  const run = new Run(options, daemon, engines);
  const before = await footprintWhenIdle(daemon);
  if (before.unsettled !== undefined) throw new Error(`not ready: ${before.unsettled}`);
  const startedMs = performance.now();
  const half = Math.floor(options.tasks / 2);
  await run.load(0, half);
  const between = await footprintWhenIdle(daemon, before);
  await run.load(half, options.tasks);
  const after = await footprintWhenIdle(daemon, before);
  const tookMs = performance.now() - startedMs;

  const struck = readFaultLog(log);
  const footprints = [before, between, after] as const;
  const violations = [
    ...run.violations,
    ...run.outcomes.flatMap((outcome) => {
      const wrong = judge(outcome, struck.get(outcome.plan.n) ?? []);
      return wrong === undefined ? [] : [tell(outcome.plan, wrong)];
    }),
    ...engines.flatMap(({ url, pool, ended }) =>
      ended === undefined ? [] : [`the ${pool.id} simulator at ${url} ended: ${ended}`],
    ),
    ...leaks(footprints),
    ...(await daemonViolations(daemon, run.outcomes)),
  ];
  const { outcomes, killed } = run;
  return { options, outcomes, struck, killed, tookMs, footprints, violations };
}

class Run {
  readonly outcomes: TaskOutcome[] = [];
  readonly violations: string[] = [];
  killed = 0;
  readonly #options: FaultOptions;
  readonly #daemon: DaemonProcess;
  readonly #engines: readonly EngineProcess[];
  readonly #random: ReturnType<typeof createRandom>;

  constructor(options: FaultOptions, daemon: DaemonProcess, engines: readonly EngineProcess[]) {
    this.#options = options;
    this.#daemon = daemon;
    this.#engines = engines;
    this.#random = createRandom(options.seed, KILLS);
  }

  /** Runs the tasks of these numbers, so many at a time, and kills engines meanwhile. */
  async load(from: number, to: number): Promise<void> {
    const { open, killEvery } = this.#options;
    const unfinished = new Set<number>();
    let next = from;
    let killing: Promise<void> = Promise.resolve();
    const work = async (): Promise<void> => {
      for (let n = next++; n < to; n = next++) {
        if (n % killEvery === killEvery - 1) killing = killing.then(() => this.#killOne());
        unfinished.add(n);
        await this.#runOne(planTask(this.#options.seed, n));
        unfinished.delete(n);
      }
    };
    try {
      await within('all tasks to end', Promise.all(Array.from({ length: open }, work)), HALF_MS);
    } catch (error) {
      const lost = [...unfinished].join(', ');
      this.violations.push(`${String(error)}: tasks ${lost}`);
    }
    await killing;
  }

  async #runOne(plan: PlannedTask): Promise<void> {
    try {
      this.outcomes.push(await runTask(this.#daemon.client, plan));
    } catch (error) {
      this.violations.push(tell(plan, error instanceof Error ? error.message : String(error)));
    }
    this.#options.onProgress?.(this.outcomes.length + this.violations.length);
  }

  async #killOne(): Promise<void> {
    const engine = this.#engines[Math.floor(this.#random.next() * this.#engines.length)];
    if (engine === undefined) return;
    await engine.kill();
    this.killed += 1;
    const downMs = this.#random.next() * LONGEST_DOWN_MS;
    await sleep(downMs);
    await engine.start();
  }
}

/** What a collector has not looked at yet, and pages that it keeps. Of 10,000 tasks it shows a leak of 13 KiB each. */
const MEMORY_SLACK_BYTES = 128 * 2 ** 20;

function leaks([before, between, after]: FaultReport['footprints']): readonly string[] {
  const violations: string[] = [];
  const grown = after.residentBytes - between.residentBytes;
  if (grown > MEMORY_SLACK_BYTES) {
    violations.push(`the second half of the tasks took ${Math.round(grown / 2 ** 20)} MiB more`);
  }
  for (const { unsettled, leases, replicas } of [before, between, after]) {
    if (unsettled !== undefined) violations.push(`it does not come to rest: ${unsettled}`);
    if (leases !== replicas) violations.push(`${leases} leases of ${replicas} replicas`);
  }
  return violations;
}

/** What the daemon itself says of the run. */
async function daemonViolations(
  daemon: DaemonProcess,
  outcomes: readonly TaskOutcome[],
): Promise<readonly string[]> {
  const violations: string[] = [];
  const ready = await daemon.client.call('getReadiness');
  if (ready.status !== 200) violations.push(`not ready: ${ready.text}`);
  const { text } = await daemon.client.send('GET', '/metrics');
  const scrape = parseMetrics(text);
  for (const [state, name] of [
    ['completed', 'tasks_completed_total'],
    ['failed', 'tasks_failed_total'],
    ['canceled', 'tasks_canceled_total'],
  ] as const) {
    const counted = sumOf(scrape, name);
    const seen = outcomes.filter((outcome) => outcome.state === state).length;
    if (counted !== seen) violations.push(`${name} is ${counted}, clients saw ${seen}`);
  }
  for (const line of daemon.logs()) {
    const { level, msg } = line;
    if (level === 'error' || level === 'fatal') violations.push(`logged: ${String(msg)}`);
  }
  return violations;
}

function tell({ n, pool, request, behaviour }: PlannedTask, what: string): string {
  const { determinism, workload = 'completion', task_id: id } = request;
  return `task ${n} (${pool.id}, ${workload}, ${determinism ?? ''}, ${behaviour.kind}, ${id}): ${what}`;
}
