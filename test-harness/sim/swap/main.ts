/** `npm run sim:swap`: three models on a device that holds one, by three policies in one run. */
import { formatColumns } from '../../src/text-table.ts';
import { mean, quantile } from '../summary.ts';
import { agentTurns } from './agents.ts';
import type { AgentMix } from './agents.ts';
import { FirstComeFirstServed, LeastRecentlyUsed } from './baselines.ts';
import { CorePolicy } from './core-policy.ts';
import { playArena } from './device-arena.ts';
import type { ArenaDevice, ArenaModel, ArenaPolicy } from './device-arena.ts';

/** An 8B, a 14B and a 32B model at 4 bits, read at 2 GB/s; what they hold is dropped in half a second. */
const MODELS: readonly ArenaModel[] = [
  { slots: 4, loadMs: 3_000, unloadMs: 500 },
  { slots: 4, loadMs: 5_000, unloadMs: 500 },
  { slots: 2, loadMs: 10_000, unloadMs: 500 },
];

const BASE = { turns: 60, shares: [0.5, 0.3, 0.2], loyalty: 0.8 } as const;
const MIXES: Readonly<Record<string, AgentMix>> = {
  'light (6 agents)': { ...BASE, agents: 6, holdMs: 3_000, thinkMs: 20_000 },
  'middle (16 agents)': { ...BASE, agents: 16, holdMs: 3_000, thinkMs: 20_000 },
  'heavy (48 agents)': { ...BASE, agents: 48, holdMs: 3_000, thinkMs: 20_000 },
  'one model always busy': {
    ...BASE,
    agents: 24,
    shares: [0.9, 0.05, 0.05],
    loyalty: 1,
    holdMs: 3_000,
    thinkMs: 2_000,
  },
};
const KNOBS = { minResidencyMs: 5_000, maxWaitMs: 120_000 };
const SEEDS = [1, 2, 3, 4, 5];

const POLICIES: Readonly<Record<string, (device: ArenaDevice) => ArenaPolicy>> = {
  'llama-orch': (device) => new CorePolicy(device, KNOBS),
  LRU: (device) => new LeastRecentlyUsed(device),
  FCFS: (device) => new FirstComeFirstServed(device),
};

const rows: string[][] = [];
for (const [mixName, mix] of Object.entries(MIXES)) {
  for (const [name, create] of Object.entries(POLICIES)) {
    const results = SEEDS.map((seed) => playArena(MODELS, agentTurns(mix, seed), create));
    const of = (value: (result: (typeof results)[number]) => number) => mean(results.map(value));
    const seconds = (ms: number) => (ms / 1000).toFixed(1);
    rows.push([
      mixName,
      name,
      of(({ loads, tasks }) => loads / tasks).toFixed(3),
      seconds(of(({ waitsMs }) => mean(waitsMs))),
      seconds(of(({ waitsMs }) => quantile(waitsMs, 0.95))),
      seconds(Math.max(...results.map(({ waitsMs }) => Math.max(...waitsMs)))),
      seconds(of(({ endedMs }) => endedMs)),
    ]);
  }
}
const head = ['traffic', 'policy', 'loads/task', 'mean wait', 'p95 wait', 'longest', 'all done'];
console.log(formatColumns([head, ...rows]));
