/** One reader of a task's stream, over all its connections. */
import type { DaemonClient } from '../../src/daemon-client.ts';
import type { EventStream, TaskEvent } from '../../src/event-stream.ts';
import { checkWholeStream } from '../../src/stream-check.ts';

export class Reader {
  readonly taskId: string;
  readonly #client: DaemonClient;
  readonly #earlier: TaskEvent[] = [];
  #stream: EventStream;

  constructor(taskId: string, client: DaemonClient, stream: EventStream) {
    this.taskId = taskId;
    this.#client = client;
    this.#stream = stream;
  }

  /** The connection that is open, or was open last. */
  get stream(): EventStream {
    return this.#stream;
  }

  /** What it was shown over all its connections. */
  get events(): readonly TaskEvent[] {
    return [...this.#earlier, ...this.#stream.events];
  }

  get tokens(): readonly Extract<TaskEvent, { event: 'token' }>[] {
    return this.events.filter((event) => event.event === 'token');
  }

  get text(): string {
    return this.tokens.map(({ data }) => data.t).join('');
  }

  get last(): TaskEvent {
    const last = this.events.at(-1);
    if (last === undefined) throw new Error('it was shown nothing');
    return last;
  }

  async untilTokens(count: number): Promise<void> {
    await this.#stream.until(`${count} tokens`, () => this.tokens.length >= count, 60_000);
  }

  /** Leaves, and comes back for what it has not seen. */
  async comeBack(): Promise<void> {
    await this.#stream.cut();
    this.#earlier.push(...this.#stream.events);
    this.#stream = await this.#client.stream(this.taskId, this.#earlier.at(-1)?.id ?? 0);
  }

  /** Reads to the end of the task. */
  async toEnd(): Promise<Extract<TaskEvent, { event: 'end' | 'error' }>> {
    return this.#stream.toEnd(60_000);
  }

  /** Reads to the end, and holds everything it was shown against what every whole stream is. */
  async whole(): Promise<string> {
    await this.toEnd();
    return checkWholeStream(this.events);
  }
}

/** What two readers of a task have in common: all but the moment they read it. */
export function factsOf(events: readonly TaskEvent[]): readonly object[] {
  return events.map(({ id, event, data }) => ({ id, event, data }));
}
