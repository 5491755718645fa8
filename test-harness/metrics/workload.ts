/**
 * Some hundred tasks, refusals, cancels, faults and changes of models, each counted by its client as it
 * happens. What a client cannot see, such as the time in the queue, is asked of the task itself.
 */
import { randomUUID } from 'node:crypto';
import type { ErrorEnvelope, Task, TaskExplanation, TaskRequest } from '@llama-orch/contracts';
import type { DaemonClient } from '../src/daemon-client.ts';
import type { LogLine } from '../src/daemon-process.ts';
import { taskIdOf, type EventStream } from '../src/event-stream.ts';
import { waitFor } from '../src/wait-for.ts';
import { createRandom } from '../sim/seeded-random.ts';
import {
  HASTY_BURST,
  MARK,
  SMALL_CAPACITY,
  TENANTS,
  type ProvingGround,
} from './proving-ground.ts';
import type { Tally } from './tally.ts';

type Tenant = (typeof TENANTS)[number];

export interface QueuedByClass {
  readonly interactive: number;
  readonly batch: number;
}

interface Waiting {
  readonly stream: EventStream;
  readonly priority: 'interactive' | 'batch';
}

export class Workload {
  readonly tally: Tally;
  /** By tenant and class: what was computed of prompts, and twice the output (OC-METRICS-7121). */
  readonly served = new Map<string, number>();
  /** Of tasks that had one to keep. */
  readonly deadlines: { readonly priority: string; readonly isKept: boolean }[] = [];
  readonly #ground: ProvingGround;
  readonly #random: ReturnType<typeof createRandom>;

  constructor(ground: ProvingGround, tally: Tally, seed: number) {
    this.tally = tally;
    this.#ground = ground;
    this.#random = createRandom(seed, 0);
  }

  /** Tasks of both tenants and classes side by side; some fail, some move on, some are taken back. */
  async mixed(count: number): Promise<void> {
    const open = new Set<Promise<void>>();
    for (let n = 0; n < count; n += 1) {
      this.#plantFault(n);
      const one = this.#one(n).finally(() => open.delete(one));
      open.add(one);
      if (open.size >= 12) await Promise.race(open);
    }
    await Promise.all(open);
  }

  /** Only such as say nothing against the engine: else its other tasks would have to move as well. */
  #plantFault(n: number): void {
    const sim = this.#ground.chat[n % 2];
    if (n % 20 === 13) sim?.addFault({ kind: 'http', status: 400, message: 'no' });
    if (n % 20 === 17) sim?.addFault({ kind: 'http', status: 503 });
  }

  /** Tasks whose first engine fails them, one at a time. */
  async failovers(): Promise<void> {
    const { chat, as, operator } = this.#ground;
    for (const sim of chat) sim.dropFaults();
    for (const fault of [
      { kind: 'cut', after_tokens: 3 },
      { kind: 'error-in-stream', after_tokens: 2 },
      { kind: 'http', status: 500 },
    ] as const) {
      await operator.untilReady(chat.length, 'chat');
      for (const sim of chat) sim.addFault(fault);
      const stream = await as.globex.postStream({ model_ref: 'chat', prompt: `${MARK} moves` });
      await waitFor('the fault', () => this.#ground.struck.some((each) => each.fault === fault));
      for (const sim of chat) sim.dropFaults();
      const { attempts } = await this.settle('globex', stream);
      if (attempts < 2) throw new Error('the task did not move');
    }
    await operator.untilReady(chat.length, 'chat');
  }

  async #one(n: number): Promise<void> {
    const tenant = TENANTS[n % TENANTS.length] ?? 'acme';
    const request: TaskRequest = {
      model_ref: 'chat',
      prompt: `${MARK} ${n} ${'word '.repeat(Math.floor(this.#random.next() * 30))}`,
      priority: this.#random.next() < 0.5 ? 'interactive' : 'batch',
      ...(this.#random.next() < 0.3 ? { max_tokens: 5 } : {}),
      ...(n % 10 === 3 ? { deadline_ms: 600_000 } : {}),
      ...(n % 4 === 1 ? { session_id: randomUUID() } : {}),
      metadata: { note: `${MARK} ${n}` },
    };
    const fate = n % 12;
    const query = fate === 5 ? '?cancel_on_disconnect=true' : '';
    const client = this.#ground.as[tenant];
    const stream = await client.postStream(request, { query });
    if (fate === 4 || fate === 5) {
      const begun = (): boolean => stream.tokens.length > 0 || stream.terminal !== undefined;
      await stream.until('a token', begun);
      if (fate === 4) await client.cancel(taskIdOf(stream));
      else await stream.cut();
    }
    await this.settle(tenant, stream, fate === 5 ? 'disconnect' : 'client');
  }

  /** Waits for a task's end and counts all there is to count of it. */
  async settle(
    tenant: Tenant,
    stream: EventStream,
    canceledBy: 'client' | 'disconnect' = 'client',
  ): Promise<Task> {
    const client = this.#ground.as[tenant];
    const taskId = taskIdOf(stream);
    await stream.ended;
    if (stream.violation !== undefined) throw stream.violation;
    const task = await client.untilEnded(taskId, 60_000);
    const answer = await client.call('explainTask', { path: [taskId] });
    this.#countTimes(task, answer.body as TaskExplanation);
    // One that had left may have been too late to cancel anything.
    const hasLeft = stream.terminal === undefined && task.state !== 'canceled';
    const whole = hasLeft ? await client.stream(taskId) : stream;
    await whole.ended;
    const decodeMs = task.state === 'completed' ? await this.#decodeMsOf(taskId) : 0;
    this.#countEnd(tenant, task, whole, { canceledBy, decodeMs });
    return task;
  }

  #countTimes({ pool_id, priority, usage }: Task, { entries }: TaskExplanation): void {
    const { tally } = this;
    const labels = { pool_id, priority };
    tally.add('tasks_enqueued_total', labels);
    const dispatched = entries.filter((entry) => entry.kind === 'dispatched');
    tally.add('tasks_started_total', { pool_id }, dispatched.length);
    const [accepted] = entries;
    const [first] = dispatched;
    if (accepted !== undefined && first !== undefined) {
      tally.add('queue_time_ms_count', labels);
      tally.add('queue_time_ms_sum', labels, first.at_ms - accepted.at_ms);
    }
    const token = entries.find((entry) => entry.kind === 'first-token');
    if (token === undefined) return;
    tally.add('latency_first_token_ms_count', labels);
    tally.add('latency_first_token_ms_sum', labels, usage?.ttft_ms ?? token.ttft_ms);
  }

  #countEnd(
    tenant: Tenant,
    task: Task,
    stream: EventStream,
    { canceledBy, decodeMs }: { readonly canceledBy: string; readonly decodeMs: number },
  ): void {
    const { tally } = this;
    const { pool_id, priority, state, usage, replica, error, finish_reason } = task;
    const output = state === 'canceled' ? (usage?.tokens_out ?? 0) : stream.tokens.length;
    tally.add('tokens_out_total', { pool_id }, output);
    this.#serve(tenant, priority, 2 * output);
    if (task.deadline_at_ms !== undefined && state !== 'canceled') {
      this.deadlines.push({ priority, isKept: state === 'completed' });
    }
    switch (state) {
      case 'completed': {
        const started = stream.events.find((event) => event.event === 'started')?.data;
        // A stream tells its first replica; after a move the task names the last.
        const at = {
          pool_id,
          replica_id: replica?.replica_id ?? '',
          engine: replica?.engine ?? '',
          engine_version: started?.engine_version ?? '',
        };
        const ended = stream.terminal?.event === 'end' ? stream.terminal.data : undefined;
        if (ended === undefined) throw new Error(`completed without an end: ${task.task_id}`);
        const tokensIn = ended.tokens_in ?? usage?.tokens_in ?? 0;
        tally.add('tasks_completed_total', {
          ...at,
          priority,
          finish_reason: ended.finish_reason ?? String(finish_reason),
        });
        tally.add('tokens_in_total', at, tokensIn);
        tally.add('latency_decode_ms_count', { pool_id, priority });
        tally.add('latency_decode_ms_sum', { pool_id, priority }, decodeMs);
        this.#serve(tenant, priority, tokensIn - (usage?.cached_tokens ?? 0));
        return;
      }
      case 'canceled':
        tally.add('tasks_canceled_total', { pool_id, reason: canceledBy });
        return;
      case 'failed': {
        const told = stream.terminal?.event === 'error' ? stream.terminal.data.code : error?.code;
        tally.add('tasks_failed_total', { pool_id, code: String(told) });
        if (told === 'QUEUE_FULL_DROP_LRU') {
          tally.add('admission_backpressure_events_total', { policy: 'drop-lru' });
        }
        return;
      }
      default:
        throw new Error(`not ended: ${state}`);
    }
  }

  #serve(tenant: Tenant, priority: string, cost: number): void {
    const key = `${tenant} ${priority}`;
    this.served.set(key, (this.served.get(key) ?? 0) + cost);
  }

  /** Each way to be refused, some of them more than once. */
  async refusals(): Promise<void> {
    const { acme, hasty, reader } = this.#ground.as;
    const taskId = randomUUID();
    const named: TaskRequest = { task_id: taskId, model_ref: 'chat', prompt: MARK };
    await this.settle('acme', await acme.postStream(named));
    for (const [client, body] of [
      [acme, { ...named, prompt: `${MARK} other` }],
      [acme, { prompt: 1 }],
      [acme, { prompt: MARK, temperature: 'hot' }],
      [acme, { prompt: MARK, model_ref: 'nobody-has-it' }],
      [acme, { prompt: 'long '.repeat(20_000) }],
      [acme, { prompt: 'long '.repeat(4_000), model_ref: 'chat' }],
      [acme, { prompt: MARK, model_ref: 'chat', deadline_ms: 1 }],
      [reader, { prompt: MARK }],
      [reader, { prompt: 1 }],
    ] as const) {
      await this.#refused(client, { body });
    }
    for (const rawBody of ['{"prompt":', '']) await this.#refused(acme, { rawBody });
    // Faults of the body pass the rate, and count against it.
    for (let n = 0; n < HASTY_BURST + 3; n += 1)
      await this.#refused(hasty, { body: { prompt: 1 } });
  }

  async #refused(
    client: DaemonClient,
    options: { readonly body?: unknown; readonly rawBody?: string },
  ): Promise<void> {
    const answer = await client.send('POST', '/v1/tasks', options);
    if (answer.status < 400) throw new Error(`was taken: ${answer.text}`);
    const { code } = answer.body as ErrorEnvelope;
    this.tally.add('tasks_rejected_total', { reason: code });
  }

  /** Fills the queue of the pool with one slot, looks at its depth and its readers, and empties it. */
  async fullQueue(look: (queued: QueuedByClass, open: number) => Promise<void>) {
    const { small, as } = this.#ground;
    const post = (n: number, priority: 'interactive' | 'batch') =>
      as.acme.postStream({ model_ref: 'small', prompt: `${MARK} small ${n}`, priority });
    small.addFault({ kind: 'stall', after_tokens: 1 });
    const holder = await post(0, 'interactive');
    await holder.until('a token', () => holder.tokens.length > 0);
    const waiting: Waiting[] = [];
    const classes = ['batch', 'batch', 'batch', 'interactive', 'batch'] as const;
    for (const [n, priority] of classes.entries()) {
      waiting.push({ stream: await post(n + 1, priority), priority });
    }
    const evicted = classes.length - SMALL_CAPACITY;
    const isOver = ({ stream }: Waiting) => stream.terminal !== undefined;
    await waitFor('the evictions', () => waiting.filter(isOver).length === evicted);
    const left = waiting.filter((each) => !isOver(each));
    const queued = { interactive: 0, batch: 0 };
    for (const { priority } of left) queued[priority] += 1;
    await look(queued, 1 + left.length);

    const last = left.pop();
    if (last !== undefined) await as.acme.cancel(taskIdOf(last.stream));
    await as.acme.cancel(taskIdOf(holder));
    for (const stream of [holder, ...waiting.map((each) => each.stream)]) {
      await this.settle('acme', stream);
    }
    this.#countSoft(left);
  }

  /** With one slot the order of the starts is seen: an interactive task before an older batch task. */
  #countSoft(left: readonly Waiting[]): void {
    const classes = left.map(({ priority }) => priority);
    if (classes.join() !== 'batch,interactive') throw new Error(`left are ${classes.join()}`);
    const startOf = ({ stream }: Waiting) => stream.events[0]?.atMs ?? 0;
    for (const [at, one] of left.entries()) {
      if (one.priority !== 'interactive') continue;
      const older = left.slice(0, at).filter(({ priority }) => priority === 'batch');
      const passed = older.some((each) => startOf(each) > startOf(one));
      if (passed) this.tally.add('preemptions_total', { mode: 'soft' });
    }
  }

  /** A batch task that is stopped for an interactive one, and goes on. */
  async preemption(): Promise<void> {
    const { small, as } = this.#ground;
    small.addFault({ kind: 'stall', after_tokens: 2 });
    const task = { model_ref: 'small', prompt: `${MARK} yields` };
    const batch = await as.globex.postStream({ ...task, priority: 'batch' });
    await batch.until('tokens', () => batch.tokens.length >= 2);
    const urgent = await as.globex.postStream({ ...task, priority: 'interactive' });
    await this.settle('globex', urgent);
    const { usage } = await this.settle('globex', batch);
    const stops = usage?.preemptions ?? 0;
    if (stops === 0) throw new Error('the batch task was not stopped');
    this.tally.add('preemptions_total', { mode: 'hard' }, stops);
    this.tally.add('resumptions_total', {}, stops);
  }

  /** Tasks, one after the other, of a pool that may have to be loaded for them. */
  async simple(model: string, count: number, fields: Partial<TaskRequest> = {}): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      const request = { model_ref: model, prompt: `${MARK} ${model} ${n}`, ...fields };
      await this.settle('globex', await this.#ground.as.globex.postStream(request));
    }
  }

  /** Fails, so that its deadline is not kept. Call while nothing else runs. */
  async missedDeadline(): Promise<void> {
    const { chat, as } = this.#ground;
    for (const sim of chat) sim.addFault({ kind: 'http', status: 400, message: 'no' });
    const request: TaskRequest = { model_ref: 'chat', prompt: MARK, deadline_ms: 600_000 };
    await this.settle('acme', await as.acme.postStream(request));
    for (const sim of chat) sim.dropFaults();
  }

  /** Attempts that an engine refused have not begun. */
  countRefusedStarts(): void {
    for (const { fault, pool } of this.#ground.struck) {
      if (fault.kind === 'http') this.tally.add('tasks_started_total', { pool_id: pool }, -1);
    }
  }

  /** What the log says: the task itself tells the engine's figure, which is that of its last attempt. */
  #decodeMsOf(taskId: string): Promise<number> {
    return waitFor('the log line of a completed task', () => {
      const line = this.#ground.daemon.logs().find((each) => isEndOf(each, taskId));
      return line && Number(line['decode_time_ms']);
    });
  }
}

function isEndOf(line: LogLine, taskId: string): boolean {
  return line['job_id'] === taskId && line['msg'] === 'task completed';
}
