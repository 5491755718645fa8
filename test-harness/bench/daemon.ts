/** The daemon as the benchmarks run it: its own process, as a user starts it. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchContext } from './bench.ts';
import { fetchOnce } from './connection.ts';
import { functionTimes, monotonicUs, type CpuProfile, type Phase } from './cpu-profile.ts';
import { waitUntil } from './polling.ts';
import { usageDuring, type Usage } from './process-usage.ts';
import { startProgram, type Program } from './program.ts';

export const PROJECT_ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DAEMON = join(PROJECT_ROOT, 'orchestratord/src/start.js');

const TOP_FUNCTIONS = 40;

export interface Daemon extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly readyMs: number;
  /** Runs a measured phase: what the process used in it is told, and it is the phase that is profiled. */
  measure<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly usage: Usage }>;
  /** Resolves when the pool has a ready replica, or as many as asked for. */
  untilReady(poolId: string, replicas?: number): Promise<void>;
}

/** A pool of the daemon's configuration, as in contracts/openapi/config.yaml. */
export type PoolSetup = Readonly<Record<string, unknown>> & { readonly id: string };

/**
 * @param pools undefined runs the default configuration: two embedded replicas
 * @param settings more of the configuration, beside its pools
 */
export async function startDaemon(
  context: BenchContext,
  pools: readonly PoolSetup[] | undefined,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Daemon> {
  const dir = context.newDir('daemon');
  const profileDir = join(dir, 'profile');
  const configFile = join(dir, 'llama-orch.yaml');
  const config = { ...settings, server: { port: 0, shutdown_grace_ms: 0 }, data_dir: 'data' };
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify(pools === undefined ? config : { ...config, pools }));
  mkdirSync(profileDir);
  const profileFlags = context.cpuProfile ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : [];
  const program = await startProgram({
    name: 'the daemon',
    args: [...profileFlags, DAEMON, '--config', configFile],
    cwd: dir,
    logFile: join(dir, 'daemon.log'),
  });
  const phases: Phase[] = [];
  return {
    pid: program.pid,
    url: program.url,
    readyMs: program.readyMs,
    async measure(work) {
      const fromUs = monotonicUs();
      const measured = await usageDuring(program.pid, work);
      phases.push({ fromUs, toUs: monotonicUs() });
      return measured;
    },
    untilReady: (poolId, replicas = 1) =>
      waitUntil(`pool ${poolId} to be ready`, async () => {
        const health = await fetchOnce(program.url, {
          method: 'GET',
          path: `/v1/pools/${poolId}/health`,
        });
        const pool = JSON.parse(health) as { replicas: readonly { state: string }[] };
        return pool.replicas.filter(({ state }) => state === 'ready').length >= replicas;
      }),
    async [Symbol.asyncDispose]() {
      await program.stop();
      if (context.cpuProfile && phases.length > 0)
        printProfile(context, profileDir, program, phases);
    },
  };
}

function printProfile(
  context: BenchContext,
  dir: string,
  program: Program,
  phases: readonly Phase[],
): void {
  // CPU.<date>.<time>.<pid>.<thread>.<n>.cpuprofile; thread 0 is the main one.
  for (const file of readdirSync(dir).filter((name) => name.includes(`.${program.pid}.0.`))) {
    const profile = JSON.parse(readFileSync(join(dir, file), 'utf8')) as CpuProfile;
    context.say(
      '  the daemon’s main thread while it was busy: % in the function, % with its callees',
    );
    const times = functionTimes(profile, phases, PROJECT_ROOT);
    for (const { label, self, total } of times.slice(0, TOP_FUNCTIONS)) {
      context.say(`  ${percent(self)} ${percent(total)}  ${label}`);
    }
  }
}

function percent(share: number): string {
  return (share * 100).toFixed(1).padStart(5);
}
