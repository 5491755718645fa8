/** ORCH-3045, ORCH-3050 on real llama-servers: the same seed gives the same bytes on every replica. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { realPool } from '../llama-server/launch.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { checkWholeStream } from '../src/stream-check.ts';

const SEEDS = 64;
const SLOTS = 4;

let daemon: DaemonProcess;

beforeAll(async () => {
  const pool = realPool(inject('llamaServer'), {
    slots: SLOTS,
    queue: { capacity: 1_000 },
    replica_labels: [{ ordinal: '0' }, { ordinal: '1' }],
  });
  daemon = await startDaemon({ config: { pools: [pool] } });
  await daemon.client.untilReady(2);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

interface Run {
  readonly replica: string;
  readonly text: string;
  readonly sha256: string;
}

async function run(seed: number, ordinal: string): Promise<Run> {
  const stream = await daemon.client.run({
    prompt: `Write a haiku about the number ${seed % 8}.`,
    seed,
    placement: { labels: { ordinal } },
  });
  const text = checkWholeStream(stream.events);
  const [started] = stream.events;
  const { terminal } = stream;
  if (started?.event !== 'started' || terminal?.event !== 'end') throw new Error('did not run');
  return {
    replica: started.data.replica_id ?? '',
    text,
    sha256: terminal.data.output_sha256 ?? '',
  };
}

test('ORCH-3050 OC-TEST-7001 OC-TEST-7003 64 seeds give identical bytes on both replicas, with neighbours and alone', async () => {
  const seeds = Array.from({ length: SEEDS }, (_, seed) => seed);
  const alone: Run[] = [];
  for (const seed of seeds) alone.push(await run(seed, '0'));
  expect(new Set(alone.map(({ text }) => text)).size).toBeGreaterThan(SEEDS / 2);

  const aloneElsewhere: Run[] = [];
  for (const seed of seeds) aloneElsewhere.push(await run(seed, '1'));

  // Every seed on each replica, with all slots busy all the time.
  const [there, here] = await Promise.all(
    ['0', '1'].map((ordinal) => Promise.all(seeds.map((seed) => run(seed, ordinal)))),
  );
  const texts = alone.map(({ text, sha256 }) => ({ text, sha256 }));
  for (const others of [aloneElsewhere, there ?? [], here ?? []]) {
    expect(others.map(({ text, sha256 }) => ({ text, sha256 }))).toEqual(texts);
  }
  const replicas = [...alone, ...aloneElsewhere].map(({ replica }) => replica);
  expect(new Set(replicas).size).toBe(2);
});
