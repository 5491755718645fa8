/** The pools of a run with faults, and the simulators behind them as processes that can be killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import type { TaskRequest, Workload } from '@llama-orch/contracts';
import { request } from 'undici';
import type { DrawnKind } from '../engines/kit/faults.ts';
import { DRAWN_KINDS } from '../engines/kit/faults.ts';
import type { SimStats } from '../engines/kit/sim-options.ts';
import { externalPool, PROJECT_ROOT, simulatorPool, type PoolInput } from '../src/temp-config.ts';
import { waitFor, within } from '../src/wait-for.ts';

export const MAX_ATTEMPTS = 3;
export const SLOTS = 4;
/** The pool whose engines the daemon runs, so that they may exit. */
export const OWNED_POOL = 'owned';
/** A prompt with this in it makes an engine of `OWNED_POOL` exit. */
export const POISON = 'hemlock';

export interface FaultPool {
  readonly id: string;
  readonly engine: NonNullable<TaskRequest['engine']>;
  readonly workloads: readonly Workload[];
  /** Of the simulator alone. */
  readonly flags: readonly string[];
  /** Where its API is mounted. */
  readonly path: string;
  readonly pool: PoolInput;
}

const ALL = ['completion', 'embedding', 'rerank'] as const;
const TEXT = ['completion'] as const;

export const FAULT_POOLS: readonly FaultPool[] = [
  { id: 'llamacpp', engine: 'llamacpp', workloads: ALL, flags: [], path: '', pool: {} },
  { id: 'vllm', engine: 'vllm', workloads: ALL, flags: [], path: '', pool: {} },
  { id: 'tgi', engine: 'tgi', workloads: TEXT, flags: [], path: '', pool: {} },
  {
    id: 'triton',
    engine: 'triton',
    workloads: TEXT,
    flags: ['--backend', 'vllm', '--metrics-port', '0'],
    path: '',
    pool: { text_output: 'delta' },
  },
  {
    id: 'openai',
    engine: 'openai',
    workloads: ALL,
    flags: ['--flavor', 'sglang'],
    path: '/v1',
    pool: {},
  },
  { id: OWNED_POOL, engine: 'llamacpp', workloads: ALL, flags: [], path: '', pool: {} },
];

const EXITS: readonly DrawnKind[] = ['exit-1', 'exit-134', 'exit-137'];
/**
 * The share of faults does not end, so what waits for it to end must not wait long: breakers, and the bound
 * on the restarts of a pool, which counts those within `window_ms`.
 */
const RESTART = {
  initial_delay_ms: 50,
  max_delay_ms: 500,
  max_restarts: 1_000,
  window_ms: 10_000,
  cool_down_ms: 1_000,
} as const;
/** Longer than any task asks for: engines differ in whether the end of the model is a token. */
const MODEL_TOKENS = 2_000;
const TOKEN_DELAY_MS = 1;

export interface FaultDrawing {
  /** Of 100 completions, how many are hit. */
  readonly percent: number;
  readonly seed: number;
  /** Every fault is a line of this file. */
  readonly log: string;
}

function flagsOf({ percent, log }: FaultDrawing, seed: string): readonly string[] {
  return [
    ...['--tokens', String(MODEL_TOKENS), '--token-delay-ms', String(TOKEN_DELAY_MS)],
    ...['--fault-percent', String(percent), '--fault-seed', seed],
    ...['--fault-log', log],
  ];
}

/** @param endpoints of the engines that run already; without any, the daemon starts its own */
export function toPoolConfig(
  { id, engine, workloads, path, pool }: FaultPool,
  endpoints: readonly string[],
  drawing: FaultDrawing,
  chatTemplate: string,
): PoolInput {
  const common: PoolInput = {
    id,
    engine,
    workloads,
    slots: SLOTS,
    max_attempts: MAX_ATTEMPTS,
    determinism: 'exact',
    queue: { capacity: 1_000 },
    restart: RESTART,
    timeouts: { wall_ms: 10_000, idle_ms: 2_000, control_ms: 1_000, connect_ms: 500 },
    model: {
      id: `${id}-model`,
      served_name: 'sim',
      ...(engine === 'triton' ? { chat_template: chatTemplate } : {}),
    },
    ...pool,
  };
  if (endpoints.length > 0) {
    return externalPool(
      endpoints.map((url) => `${url}${path}`),
      common,
    );
  }
  const kinds = [...EXITS, ...DRAWN_KINDS].join();
  // All of them have this one command; their ports are what they do not share.
  const flags = [...flagsOf(drawing, '{port}'), '--fault-kinds', kinds, '--poison', POISON];
  return simulatorPool(flags, common);
}

export async function statsAt(url: string): Promise<SimStats> {
  // A connection of our own would be one more to count.
  const { body } = await request(`${url}/__sim/stats`, { reset: true });
  return (await body.json()) as SimStats;
}

const ENGINES_AT_MOST = 100;
const LISTENING = /^listening on (http:\S+)$/m;

/** A simulator as a process: it can be killed, and started again where it was. */
export class EngineProcess implements AsyncDisposable {
  readonly pool: FaultPool;
  readonly #drawing: FaultDrawing;
  readonly #ordinal: number;
  #child: ChildProcess | undefined;
  #stderr = '';
  #lives = 0;
  #url = '';

  constructor(pool: FaultPool, drawing: FaultDrawing, ordinal: number) {
    this.pool = pool;
    this.#drawing = drawing;
    this.#ordinal = ordinal;
  }

  get url(): string {
    return this.#url;
  }

  /** What it said when it ended by itself, which none of its faults makes it do. */
  get ended(): string | undefined {
    const child = this.#child;
    const isOver = child !== undefined && (child.exitCode ?? child.signalCode) !== null;
    return isOver ? this.#stderr : undefined;
  }

  /** Resolves when it listens. @throws Error when it does not */
  async start(): Promise<void> {
    // Somebody may have taken its port meanwhile, and leaves it again.
    await waitFor('a simulator to listen', () => this.#tryStart());
  }

  /** SIGKILL: every connection breaks, and further ones are refused. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await within('the death of a simulator', exited);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #tryStart(): Promise<boolean> {
    const { engine, flags } = this.pool;
    const main = join(PROJECT_ROOT, 'test-harness', 'engines', engine, 'main.ts');
    const port = this.#url === '' ? '0' : new URL(this.#url).port;
    // Of each life another draw, or the same faults would come again and again.
    const seed = this.#drawing.seed + this.#ordinal + ENGINES_AT_MOST * this.#lives;
    const drawing = flagsOf(this.#drawing, String(seed >>> 0));
    this.#lives += 1;
    const args = [main, '--port', port, '--slots', String(SLOTS), ...drawing, ...flags];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.#stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    let said = '';
    child.stdout.setEncoding('utf8');
    const listens = new Promise<string | undefined>((resolve) => {
      child.stdout.on('data', (text: string) => {
        said += text;
        const url = LISTENING.exec(said)?.[1];
        if (url !== undefined) resolve(url);
      });
      child.once('exit', () => resolve(undefined));
    });
    const url = await within('the start of a simulator', listens, 30_000);
    if (url === undefined) return false;
    this.#url = url;
    return true;
  }
}
