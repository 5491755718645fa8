/** What scenarios are set up from: a daemon over a simulator, the size of their load, and drawn pauses. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import type { SeededRandom } from '../sim/seeded-random.ts';
import { startDaemon, type DaemonOptions, type DaemonProcess } from '../src/daemon-process.ts';
import { externalPool, type ConfigInput, type PoolInput } from '../src/temp-config.ts';
import type { LoadOptions } from './load.ts';

/** Of the engine. */
export const SLOTS = 8;
/** Longer than any task asks for, so that the tasks and not the model end the outputs. */
export const MODEL_TOKENS = 100_000;
const TOKEN_DELAY_MS = 4;
const TASKS_A_ROUND = 40;

export interface StageOptions {
  readonly sim?: Parameters<typeof startLlamaCppSim>[0];
  readonly config?: Omit<ConfigInput, 'pools'>;
  readonly pool?: PoolInput;
  readonly daemon?: Pick<DaemonOptions, 'openFilesLimit' | 'headers' | 'env'>;
  /** A module of `preload/` for every thread of the daemon, and the variable that names its file. */
  readonly preload?: { readonly module: string; readonly variable: string };
}

export interface Stage extends AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly sim: LlamaCppSim;
  /** The file that the preloaded module reads its orders from, '0' at first. */
  readonly orders: string;
}

/** Resolves when the replica is ready. */
export async function openStage(options: StageOptions = {}): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'llama-orch-chaos-'));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const orders = join(directory, 'orders');
  writeFileSync(orders, '0');
  const sim = stack.use(
    await startLlamaCppSim({
      slots: SLOTS,
      tokens: MODEL_TOKENS,
      tokenDelayMs: TOKEN_DELAY_MS,
      ...options.sim,
    }),
  );
  const { preload } = options;
  const daemon = stack.use(
    await startDaemon({
      config: {
        ...options.config,
        // Connections that clients keep alive are no leak, but would hide one.
        server: { idle_timeout_ms: 2_000, ...options.config?.server },
        pools: [
          externalPool([sim.url], {
            slots: SLOTS,
            // What a simulator says depends on nothing beside it.
            determinism: 'exact',
            queue: { capacity: 1_000 },
            ...options.pool,
          }),
        ],
      },
      args: ['--log-level', 'warn'],
      ...options.daemon,
      ...(preload === undefined
        ? {}
        : {
            env: {
              NODE_OPTIONS: `--import=${new URL(`preload/${preload.module}`, import.meta.url).href}`,
              [preload.variable]: orders,
            },
          }),
    }),
  );
  await daemon.client.untilReady(1);
  const owned = stack.move();
  return { daemon, sim, orders, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export function loadOf(
  seed: number,
  tasks: number,
  overrides: Partial<LoadOptions> = {},
): LoadOptions {
  return { seed, tasks, open: 24, shortestOutput: 8, longestOutput: 120, ...overrides };
}

/** How often something is done in the course of a load, and after how many tasks it is done again. */
export function roundsOf(
  tasks: number,
  { least, most }: { readonly least: number; readonly most: number },
): { readonly rounds: number; readonly every: number } {
  const rounds = Math.min(most, Math.max(least, Math.floor(tasks / TASKS_A_ROUND)));
  return { rounds, every: Math.floor(tasks / rounds / 2) };
}

/** A moment between 0 and `mostMs`, so that what follows hits no fixed point of what goes on. */
export async function pause(random: SeededRandom, mostMs: number): Promise<void> {
  await sleep(random.next() * mostMs);
}
