/** ORCH-3045, ORCH-3050: the same seed gives the same bytes on every replica of a set. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { embeddedPool } from '../src/temp-config.ts';

const SEEDS = 64;

let daemon: DaemonProcess;

beforeAll(async () => {
  daemon = await startDaemon({
    config: {
      pools: [
        embeddedPool({
          slots: 2,
          queue: { capacity: 1_000 },
          replica_labels: [{ ordinal: '0' }, { ordinal: '1' }],
        }),
      ],
    },
  });
  await daemon.client.untilReady(2);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

interface Run {
  readonly seed: number;
  readonly replica: string;
  readonly text: string;
  readonly sha256: string;
}

/** @param ordinal of the replica, where it matters */
async function run(seed: number, ordinal?: string): Promise<Run> {
  const stream = await daemon.client.run({
    prompt: 'Write a haiku about rivers.',
    seed,
    ...(ordinal === undefined ? {} : { placement: { labels: { ordinal } } }),
  });
  const text = checkWholeStream(stream.events);
  const [started] = stream.events;
  const { terminal } = stream;
  if (started?.event !== 'started' || terminal?.event !== 'end') throw new Error('did not run');
  return {
    seed,
    replica: started.data.replica_id ?? '',
    text,
    sha256: terminal.data.output_sha256 ?? '',
  };
}

test('ORCH-3050 64 seeds give identical bytes on both replicas, with neighbours and alone', async () => {
  const alone: Run[] = [];
  for (let seed = 0; seed < SEEDS; seed += 1) alone.push(await run(seed));
  const expected = new Map(alone.map(({ seed, text }) => [seed, text]));
  expect(new Set(expected.values()).size).toBeGreaterThan(SEEDS / 2);

  // Every seed on each replica, with all four slots busy all the time.
  const seeds = alone.map(({ seed }) => seed);
  const runs = await Promise.all([
    ...seeds.map((seed) => run(seed, '0')),
    ...seeds.toReversed().map((seed) => run(seed, '1')),
  ]);
  for (const { seed, text, sha256 } of runs) {
    expect(text).toBe(expected.get(seed));
    expect(sha256).toBe(alone[seed]?.sha256);
  }
  expect(new Set(runs.map(({ replica }) => replica)).size).toBe(2);
}, 90_000);
