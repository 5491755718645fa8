/** A thousand tasks thrown at a queue of 64 from fifty connections, once for each policy. */
import { randomUUID } from 'node:crypto';
import type { AdmissionResponse, ErrorEnvelope, TaskRequest } from '@llama-orch/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import type { EventStream } from '../src/event-stream.ts';
import { parseMetrics, sumOf } from '../src/metrics-text.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { externalPool } from '../src/temp-config.ts';

const POLICIES = ['reject', 'drop-lru', 'shed-low-priority'] as const;
type Policy = (typeof POLICIES)[number];
const TASKS = 1_000;
const CONNECTIONS = 50;
const CAPACITY = 64;

let sims: LlamaCppSim[];
let daemon: DaemonProcess;

beforeAll(async () => {
  sims = await Promise.all(
    POLICIES.map(() => startLlamaCppSim({ slots: 4, tokens: 20, tokenDelayMs: 1 })),
  );
  daemon = await startDaemon({
    config: {
      pools: POLICIES.map((policy, n) =>
        externalPool([sims[n]?.url ?? ''], {
          id: policy,
          model: { id: policy },
          slots: 4,
          queue: { capacity: CAPACITY, full_policy: policy },
        }),
      ),
    },
  });
  await Promise.all(POLICIES.map((policy) => daemon.client.untilReady(1, policy)));
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await Promise.all(sims.map((sim) => sim[Symbol.asyncDispose]()));
});

interface Outcome {
  readonly priority: 'interactive' | 'batch';
  readonly refusal: ErrorEnvelope | undefined;
  readonly stream: EventStream | undefined;
}

/** Posts one task and, when it was taken, reads it to the end. */
async function throwOne(policy: Policy, n: number): Promise<Outcome> {
  const priority = n % 2 === 0 ? 'interactive' : 'batch';
  const task: TaskRequest = {
    task_id: randomUUID(),
    model_ref: policy,
    prompt: `task ${n}`,
    priority,
  };
  const answer = await daemon.client.call('createTask', { body: task });
  if (answer.status === 202) {
    const stream = await daemon.client.stream(task.task_id ?? '');
    return { priority, refusal: undefined, stream };
  }
  expect(answer.status).toBe(429);
  return { priority, refusal: answer.body as ErrorEnvelope, stream: undefined };
}

test.each(POLICIES)(
  'ORCH-3004 ORCH-3005 OC-CTRL-2011 policy %s: each answer is a 202 that ends well or a well-formed 429',
  async (policy) => {
    let depth = 0;
    let watching = true;
    const watch = (async () => {
      while (watching) {
        depth = Math.max(depth, (await daemon.client.poolHealth(policy)).metrics.queue_depth);
      }
    })();
    const outcomes: Outcome[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        while (next < TASKS) outcomes.push(await throwOne(policy, next++));
      }),
    );
    for (const { stream } of outcomes) await stream?.toEnd(60_000);
    watching = false;
    await watch;

    expect(outcomes).toHaveLength(TASKS);
    expect(depth).toBeLessThanOrEqual(CAPACITY);
    expect(depth).toBeGreaterThan(0);
    const refusals = outcomes.filter((each) => each.refusal !== undefined);
    const code = policy === 'drop-lru' ? 'QUEUE_FULL_DROP_LRU' : 'ADMISSION_REJECT';
    for (const { refusal } of refusals) {
      expect(refusal).toMatchObject({
        code,
        policy_label: policy,
        retriable: true,
        pool_id: policy,
      });
    }
    const evicted = outcomes.filter((each) => each.stream?.terminal?.event === 'error');
    for (const { stream, priority } of evicted) {
      expect(priority).toBe('batch');
      expect(stream?.terminal?.data).toMatchObject({
        code: 'QUEUE_FULL_DROP_LRU',
        retriable: true,
      });
      expect(stream?.events).toHaveLength(1);
    }
    const done = outcomes.filter((each) => each.stream?.terminal?.event === 'end');
    for (const { stream } of done) {
      checkWholeStream(stream?.events ?? []);
      expect(stream?.tokens).toHaveLength(20);
    }
    expect(done.length + evicted.length + refusals.length).toBe(TASKS);
    if (policy === 'reject') expect(evicted).toHaveLength(0);
    else expect(evicted.length).toBeGreaterThan(0);
    // There was real pressure.
    expect(refusals.length).toBeGreaterThan(0);

    const scrape = parseMetrics((await daemon.client.call('getMetrics')).text);
    const pool = { pool_id: policy };
    expect(sumOf(scrape, 'tasks_enqueued_total', pool)).toBe(done.length + evicted.length);
    expect(sumOf(scrape, 'tasks_completed_total', pool)).toBe(done.length);
    expect(sumOf(scrape, 'tasks_failed_total', pool)).toBe(evicted.length);
    expect(sumOf(scrape, 'admission_backpressure_events_total', { policy })).toBe(
      refusals.length + evicted.length,
    );
    expect(sumOf(scrape, 'queue_depth', pool)).toBe(0);
  },
  90_000,
);

test.each(['drop-lru', 'shed-low-priority'] as const)(
  'policy %s: a batch arrival never evicts an interactive task',
  async (policy) => {
    const sim = sims[POLICIES.indexOf(policy)];
    sim?.addFault({ kind: 'slow-first', ms: 1_500 }, 4);
    const submit = (priority: 'interactive' | 'batch', n: number) =>
      daemon.client.call('createTask', {
        body: { model_ref: policy, prompt: `${priority} ${n}`, priority },
      });
    const admitted: string[] = [];
    for (let n = 0; n < 4 + CAPACITY; n += 1) {
      const answer = await submit('interactive', n);
      expect(answer.status).toBe(202);
      admitted.push((answer.body as { task_id: string }).task_id);
    }
    const refused = await submit('batch', 0);
    expect(refused.status).toBe(429);
    expect((await submit('interactive', 100)).status).toBe(429);
    for (const id of admitted) {
      expect((await daemon.client.untilEnded(id)).state).toBe('completed');
    }
  },
);

test('drop-lru evicts the oldest batch task, shed-low-priority the newest', async () => {
  for (const policy of ['drop-lru', 'shed-low-priority'] as const) {
    const sim = sims[POLICIES.indexOf(policy)];
    sim?.addFault({ kind: 'slow-first', ms: 1_500 }, 4);
    const ids: string[] = [];
    // Interactive work takes the slots: of batch work the daemon would keep some back, and leave slots free.
    for (let n = 0; n < 4 + CAPACITY; n += 1) {
      const { task_id: id } = await daemon.client.admit({
        model_ref: policy,
        prompt: `task ${n}`,
        priority: n < 4 ? 'interactive' : 'batch',
      });
      ids.push(id);
    }
    const waiting = ids.slice(4);
    await daemon.client.admit({ model_ref: policy, prompt: 'in a hurry' });
    const victim = policy === 'drop-lru' ? waiting[0] : waiting.at(-1);
    const states = await Promise.all(waiting.map((id) => daemon.client.task(id)));
    expect(states.filter((task) => task.state === 'failed').map((task) => task.task_id)).toEqual([
      victim,
    ]);
    await Promise.all(ids.filter((id) => id !== victim).map((id) => daemon.client.untilEnded(id)));
  }
});

/** Four running tasks and a queue that is full to the last place, in the order they came. */
async function fill(): Promise<readonly AdmissionResponse[]> {
  sims[0]?.addFault({ kind: 'slow-first', ms: 1_500 }, 4);
  const admitted: AdmissionResponse[] = [];
  for (let n = 0; n < 4 + CAPACITY; n += 1) {
    admitted.push(await daemon.client.admit({ model_ref: 'reject', prompt: `place ${n}` }));
  }
  return admitted;
}

test('ORCH-3029 queue_position is the place in the queue, 0 for a task that starts at once', async () => {
  const admitted = await fill();
  const last = await daemon.client.task(admitted.at(-1)?.task_id ?? '');
  await Promise.all(admitted.map((each) => daemon.client.untilEnded(each.task_id)));
  const positions = admitted.map((each) => each.queue_position);
  expect(positions[0]).toBe(0);
  // Up to four are on slots, one after the other as the engine takes their prompts; the rest queue up.
  const waiting = positions.slice(8);
  expect(waiting).toEqual(waiting.toSorted((a, b) => a - b));
  expect(positions.at(-1)).toBeGreaterThanOrEqual(CAPACITY - 4);
  expect(last.queue_position).toBeGreaterThanOrEqual(CAPACITY - 4);
});

test('ORCH-2007 backoff_ms is 0 while there is room, and says how long to wait once there is none', async () => {
  const admitted = await fill();
  await Promise.all(admitted.map((each) => daemon.client.untilEnded(each.task_id)));
  const starts = admitted.map((each) => each.predicted_start_ms);
  // Each counts from its own admission, so neighbours may come out alike; ends far apart may not.
  expect(starts.slice(0, 1)).toEqual([0]);
  expect(starts.at(-1)).toBeGreaterThan(starts[CAPACITY / 4] ?? Infinity);
  expect(admitted.slice(0, CAPACITY).every((each) => each.backoff_ms === 0)).toBe(true);
  expect(admitted.at(-1)?.backoff_ms).toBeGreaterThan(0);
});
