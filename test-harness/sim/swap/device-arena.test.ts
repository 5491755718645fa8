import { expect, test } from 'vitest';
import { quantile } from '../summary.ts';
import { agentTurns } from './agents.ts';
import { FirstComeFirstServed, LeastRecentlyUsed } from './baselines.ts';
import { CorePolicy } from './core-policy.ts';
import { playArena } from './device-arena.ts';
import type { ArenaDevice, ArenaPolicy } from './device-arena.ts';

const MODELS = [
  { slots: 2, loadMs: 3_000, unloadMs: 500 },
  { slots: 2, loadMs: 8_000, unloadMs: 500 },
];
const MIX = { agents: 8, turns: 20, shares: [0.6, 0.4], loyalty: 0.8, holdMs: 2_000 } as const;
const KNOBS = { minResidencyMs: 5_000, maxWaitMs: 30_000 };

const play = (thinkMs: number, create: (device: ArenaDevice) => ArenaPolicy) =>
  playArena(MODELS, agentTurns({ ...MIX, thinkMs }, 7), create);

test('OC-SIM-7240 every policy serves every turn, and the core loads far less often than first come first served', () => {
  const core = play(10_000, (device) => new CorePolicy(device, KNOBS));
  const lru = play(10_000, (device) => new LeastRecentlyUsed(device));
  const fcfs = play(10_000, (device) => new FirstComeFirstServed(device));
  for (const { tasks } of [core, lru, fcfs]) expect(tasks).toBe(MIX.agents * MIX.turns);
  expect(core.loads).toBeLessThan(0.7 * fcfs.loads);
  expect(quantile(core.waitsMs, 0.95)).toBeLessThan(quantile(fcfs.waitsMs, 0.95));
});

test('OC-SIM-7240 the same seed gives the same run', () => {
  const run = () => play(1_000, (device) => new CorePolicy(device, KNOBS));
  expect(run()).toEqual(run());
});

test('a policy that unloads under a running task is found out', () => {
  const reckless = (device: ArenaDevice): ArenaPolicy => ({
    arrived: (task) => {
      if (task.id === 0) device.load(task.model);
      else device.unload();
    },
    finished: () => undefined,
    loaded: () => undefined,
    unloaded: () => undefined,
    woken: () => undefined,
  });
  expect(() => play(10, reckless)).toThrow('nothing there can be unloaded');
});
