/** How long finished tasks are kept, and what is said of them afterwards (410 against 404). */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { waitFor } from '../src/wait-for.ts';

let setUp: DaemonOverSim;
let daemon: DaemonProcess;

beforeAll(async () => {
  setUp = await startDaemonOverSim({
    sim: { tokens: 5 },
    config: { retention: { max_age_ms: 1000 } },
  });
  ({ daemon } = setUp);
});
afterAll(() => setUp[Symbol.asyncDispose]());

test('a swept task is 410 to its readers, 404 otherwise, and stays so after a restart', async () => {
  const id = taskIdOf(await daemon.client.run({ prompt: 'short-lived' }));
  expect((await daemon.client.call('getTask', { path: [id] })).status).toBe(200);
  const gone = async () => {
    const answer = await daemon.client.call('streamTask', { path: [id] });
    return answer.status === 410 && answer;
  };
  const answer = await waitFor('the sweep', gone);
  expect(answer.body).toMatchObject({ code: 'NOT_FOUND', retriable: false });
  expect((await daemon.client.call('explainTask', { path: [id] })).status).toBe(410);
  expect((await daemon.client.call('getTask', { path: [id] })).status).toBe(404);
  expect((await daemon.client.call('streamTask', { path: [randomUUID()] })).status).toBe(404);
  await daemon.terminate();
  await daemon.restart();
  expect((await daemon.client.call('streamTask', { path: [id] })).status).toBe(410);
});
