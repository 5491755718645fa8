/** Strict tasks on an engine whose bytes nobody vouches for (OC-CTRL-2143, 2144, OC-CORE-1130). */
import type { Capabilities, Task } from '@llama-orch/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import { taskIdOf } from '../src/event-stream.ts';

let setUp: DaemonOverSim;
let daemon: DaemonProcess;

beforeAll(async () => {
  setUp = await startDaemonOverSim({
    sim: { slots: 4, tokens: 30, tokenDelayMs: 5 },
    pool: { slots: 4 },
  });
  ({ daemon } = setUp);
});
afterAll(() => setUp[Symbol.asyncDispose]());

test('OC-CTRL-2143 the pool says so, and who asks for nothing gets best_effort', async () => {
  const { engines } = (await daemon.client.call('getCapabilities')).body as Capabilities;
  expect(engines[0]).toMatchObject({ determinism: 'alone', models: [{ determinism: 'alone' }] });
  const stream = await daemon.client.run({ prompt: 'left open' });
  expect((await daemon.client.task(taskIdOf(stream))).determinism).toBe('best_effort');
});

test('OC-CORE-1130 OC-CTRL-2144 strict tasks have the engine to themselves, the others share it', async () => {
  const streams = await Promise.all(
    Array.from({ length: 24 }, (_, n) =>
      daemon.client.run({ prompt: `${n}`, determinism: n % 4 === 3 ? 'strict' : 'best_effort' }),
    ),
  );
  const tasks = await Promise.all(streams.map((stream) => daemon.client.task(taskIdOf(stream))));
  expect(tasks.map(({ state }) => state)).toEqual(tasks.map(() => 'completed'));
  /** Who was dispatched before it ended, and ended after it was dispatched. */
  const besides = (task: Task): number =>
    tasks.filter(
      (other) =>
        other !== task &&
        (other.started_at_ms ?? 0) < (task.ended_at_ms ?? 0) &&
        (task.started_at_ms ?? 0) < (other.ended_at_ms ?? 0),
    ).length;
  const [strict, loose] = ['strict', 'best_effort'].map((kind) =>
    tasks.filter(({ determinism }) => determinism === kind).map(besides),
  );
  expect(strict).toEqual([0, 0, 0, 0, 0, 0]);
  expect(Math.max(...(loose ?? []))).toBeGreaterThan(0);
});
