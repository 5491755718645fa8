/**
 * Clients that create, follow, leave, come back, cancel, look up and delete in any order, several at once.
 * GENERATED_SEED, GENERATED_PATH and GENERATED_REPLAY (the `replayPath` that a failure shows) repeat a run.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import type { DaemonClient } from '../src/daemon-client.ts';
import { commandArbitraries, newRun } from './commands.ts';

const RUNS = Number(process.env['GENERATED_SEQUENCES'] ?? 100);
const { GENERATED_SEED: SEED, GENERATED_PATH: PATH, GENERATED_REPLAY: REPLAY } = process.env;
/** A bound on a hang, whatever the number of runs. */
const LONG_MS = 120_000 + 1_000 * RUNS;
/** The first sequence that shows a planted fault ends them. */
const PLANTED_RUNS = 1_000;
/** Fewer slots than tasks, and pauses between tokens: what comes next finds tasks waiting and running. */
const SLOTS = 2;
const TOKEN_DELAY_MS = 2;

let setUp: DaemonOverSim;

beforeAll(async () => {
  setUp = await startDaemonOverSim({
    sim: { slots: SLOTS, tokens: 8, tokenDelayMs: TOKEN_DELAY_MS },
    pool: { slots: SLOTS, queue: { capacity: 10_000 } },
  });
});
afterAll(() => setUp[Symbol.asyncDispose]());

const sequences = fc.commands([...commandArbitraries], {
  maxCommands: 40,
  size: 'max',
  ...(REPLAY === undefined ? {} : { replayPath: REPLAY }),
});

async function play(
  commands: Iterable<
    fc.AsyncCommand<ReturnType<typeof newRun>['model'], ReturnType<typeof newRun>['real']>
  >,
  client: DaemonClient,
): Promise<void> {
  const run = newRun(client);
  await fc.asyncModelRun(() => run, commands);
  for (const task of run.real.tasks) await task.settle(client);
}

test(
  'OC-TEST-7505 whatever clients do, in any order and at once, tasks and sessions are as they must be',
  async () => {
    await fc.assert(
      fc.asyncProperty(sequences, (commands) => play(commands, setUp.daemon.client)),
      {
        numRuns: RUNS,
        ...(SEED === undefined ? {} : { seed: Number(SEED) }),
        ...(PATH === undefined ? {} : { path: PATH }),
      },
    );
    expect(setUp.daemon.logs().filter(({ level }) => level === 'error')).toEqual([]);
  },
  LONG_MS,
);

test('OC-TEST-7504 a daemon that shows tokens after an acknowledged cancel is found out', async () => {
  const { client } = setUp.daemon;
  // Cancels are acknowledged, and nothing happens.
  const cancel = vi.spyOn(client, 'cancel').mockResolvedValue();
  try {
    const broken = await fc.check(
      fc.asyncProperty(sequences, (commands) => play(commands, client)),
      { numRuns: PLANTED_RUNS, seed: 3, endOnFailure: true },
    );
    expect(String(broken.errorInstance)).toMatch(/after its cancel/);
  } finally {
    cancel.mockRestore();
  }
});
