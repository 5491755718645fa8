/**
 * What the outside has learned of a task. Every answer is held against what was known before its request
 * was sent, so that it does not matter what else went on meanwhile.
 */
import type { Task, TaskRequest } from '@llama-orch/contracts';
import { ContractViolation } from '../src/contract-check.ts';
import type { DaemonClient } from '../src/daemon-client.ts';
import type { TaskEvent } from '../src/event-stream.ts';
import { checkWholeStream } from '../src/stream-check.ts';

type State = Task['state'];
const RANK = {
  queued: 0,
  running: 1,
  completed: 2,
  failed: 2,
  canceled: 2,
} as const satisfies Record<State, number>;

export class KnownTask {
  readonly request: TaskRequest & { readonly task_id: string };
  readonly seed: number;
  readonly #events = new Map<number, string>();
  #state: State = 'queued';
  #isCancelAcknowledged = false;

  constructor(request: KnownTask['request'], seed: number) {
    this.request = request;
    this.seed = seed;
  }

  get id(): string {
    return this.request.task_id;
  }

  get isOver(): boolean {
    return RANK[this.#state] === 2;
  }

  get lastEventId(): number {
    return Math.max(0, ...this.#events.keys());
  }

  async cancel(client: DaemonClient): Promise<void> {
    await client.cancel(this.id);
    this.#isCancelAcknowledged = true;
  }

  /** @throws ContractViolation when the task went back, or changed after its end */
  async look(client: DaemonClient): Promise<void> {
    const before = this.#state;
    const wasCanceled = this.#isCancelAcknowledged;
    const task = await client.task(this.id);
    // Of running back to queued: an attempt that is repeated. Nothing comes back from its end.
    if (RANK[before] === 2 && task.state !== before) fail(this, `${before} became ${task.state}`);
    if (wasCanceled && RANK[task.state] < 2) fail(this, `is ${task.state} after its cancel`);
    if (task.seed !== this.seed) fail(this, 'has another seed');
    if (task.session_id !== this.request.session_id) fail(this, 'has another session');
    this.#learn(task.state);
  }

  /**
   * Reads the stream.
   * @param after the event to go on from
   * @param atMost events to read before leaving; by default all
   * @throws ContractViolation for an event that differs from what was shown under its id, and for a token
   * after an acknowledged cancel
   */
  async follow(client: DaemonClient, after: number, atMost = Infinity): Promise<void> {
    const wasCanceled = this.#isCancelAcknowledged;
    await using stream = await client.stream(this.id, after);
    const isEnough = (): boolean => stream.terminal !== undefined || stream.events.length >= atMost;
    // A reader who has seen the end already is shown nothing more.
    await Promise.race([
      stream.ended,
      stream.until('enough events', isEnough).catch(() => undefined),
    ]);
    if (stream.violation !== undefined) throw stream.violation;
    if (!isEnough() && (stream.events.length > 0 || !this.isOver)) fail(this, 'was cut off');
    const { terminal } = stream;
    for (const { id, event, data } of stream.events) {
      const text = JSON.stringify([event, data]);
      const shown = this.#events.get(id) ?? text;
      if (shown !== text) fail(this, `event ${id} was ${shown}, then ${text}`);
      this.#events.set(id, text);
    }
    const isCanceled = terminal?.event === 'end' && terminal.data.finish_reason === 'canceled';
    if (wasCanceled && isCanceled && stream.tokens.length > 0)
      fail(this, 'a token after its cancel');
    if (terminal === undefined) return;
    const state = terminal.event === 'error' ? 'failed' : isCanceled ? 'canceled' : 'completed';
    if (this.isOver && state !== this.#state) fail(this, `ended as ${this.#state} and as ${state}`);
    this.#learn(state);
  }

  /** Everything that was shown, over all readers, is one stream. @throws ContractViolation */
  async settle(client: DaemonClient): Promise<void> {
    await this.follow(client, this.lastEventId);
    await this.look(client);
    // Who follows a canceled task late is spared its tokens.
    if (this.#state !== 'canceled') await this.follow(client, 0);
    const events = [...this.#events]
      .toSorted(([a], [b]) => a - b)
      .map(([id, text]) => {
        const [event, data] = JSON.parse(text) as [TaskEvent['event'], TaskEvent['data']];
        return { id, event, data, atMs: 0 } as TaskEvent;
      });
    const text = checkWholeStream(events);
    const task = await client.task(this.id);
    if (task.state === 'completed' && task.result?.text !== text) {
      fail(this, 'its result is not what its stream said');
    }
  }

  #learn(state: State): void {
    if (!this.isOver) this.#state = state;
  }
}

function fail(task: KnownTask, reason: string): never {
  throw new ContractViolation(`task ${task.id} ${reason}`);
}
