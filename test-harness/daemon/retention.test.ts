/** How long finished tasks are kept, and what is said of them afterwards (410 against 404). */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { externalPool } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

let sim: LlamaCppSim;
let daemon: DaemonProcess;

beforeAll(async () => {
  sim = await startLlamaCppSim({ tokens: 5 });
  daemon = await startDaemon({
    config: { retention: { max_age_ms: 1000 }, pools: [externalPool([sim.url])] },
  });
  await daemon.client.untilReady(1);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await sim[Symbol.asyncDispose]();
});

test('a swept task is 410 to its readers, 404 otherwise, and stays so after a restart', async () => {
  const id = taskIdOf(await daemon.client.run({ prompt: 'short-lived' }));
  expect((await daemon.client.call('getTask', { path: [id] })).status).toBe(200);
  const gone = async () => {
    const answer = await daemon.client.call('streamTask', { path: [id] });
    return answer.status === 410 && answer;
  };
  const answer = await waitFor('the sweep', gone);
  expect(answer.body).toMatchObject({ code: 'NOT_FOUND', retriable: false });
  expect((await daemon.client.call('getTask', { path: [id] })).status).toBe(404);
  expect((await daemon.client.call('streamTask', { path: [randomUUID()] })).status).toBe(404);
  await daemon.terminate();
  await daemon.restart();
  expect((await daemon.client.call('streamTask', { path: [id] })).status).toBe(410);
});
