import { expect, test } from 'vitest';
import { LiveTask } from './live-task.ts';
import { TaskService, type TaskServiceOptions } from './task-service.ts';

const ID = '00000000-0000-4000-8000-000000000001';

function newTask(): LiveTask {
  return new LiveTask({
    taskId: ID,
    tenantId: 'default',
    poolId: 'p',
    modelId: 'm',
    engine: 'llamacpp',
    correlationId: 'c',
    request: { prompt: 'hi' },
    promptFormat: 'raw',
    seed: '1',
    requestHash: undefined,
    acceptedAtMs: 0,
    deadlineAtMs: undefined,
  });
}

/** A service of one task, whose core has nothing left to cancel. */
function serviceOf(task: LiveTask): TaskService {
  const options: Pick<TaskServiceOptions, 'book' | 'host'> = {
    book: { get: () => task } as unknown as TaskServiceOptions['book'],
    host: {
      apply: () => ({ effects: [], durable: Promise.resolve() }),
    } as unknown as TaskServiceOptions['host'],
  };
  return new TaskService(options as TaskServiceOptions);
}

/** Turns of the event loop in which all that needs nothing from outside is done. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
}

test('OC-CTRL-2012 a cancel that meets an end on its way to disk is acknowledged when that is shown', async () => {
  const task = newTask();
  task.log.appendTokens(['a']);
  const show = task.log.hold();
  task.log.seal({ event: 'end', data: '{}' });
  let isAcknowledged = false;
  const cancel = serviceOf(task)
    .cancel(ID, 'default', 'client')
    .then(() => (isAcknowledged = true));
  await settled();
  expect(isAcknowledged).toBe(false);
  show();
  await cancel;
  expect(task.log.visible).toBe(2);
});

test('a cancel of a task whose end was shown is acknowledged at once', async () => {
  const task = newTask();
  task.log.seal({ event: 'end', data: '{}' });
  await serviceOf(task).cancel(ID, 'default', 'client');
});
