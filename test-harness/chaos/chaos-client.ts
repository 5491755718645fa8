/**
 * One task and the client that wants it: posts it, follows its stream, and comes back for the rest after
 * every cut, until the end has come. Keeps what it was sent, over all its connections.
 */
import { randomUUID } from 'node:crypto';
import type { TaskRequest } from '@llama-orch/contracts';
import { ContractViolation } from '../src/contract-check.ts';
import type { DaemonClient } from '../src/daemon-client.ts';
import { NotAStream, type EventStream, type TaskEvent } from '../src/event-stream.ts';
import { checkWholeStream } from '../src/stream-check.ts';

export type Admission = 'accepted' | 'refused' | 'unanswered';

/** What a client does while it reads, such as stopping, leaving or canceling. Must not throw. */
export type Meanwhile = (stream: EventStream) => Promise<void>;

export class ChaosClient {
  readonly task: TaskRequest & { readonly task_id: string };
  readonly events: TaskEvent[] = [];
  admission: Admission = 'unanswered';
  /** The daemon died before it answered the POST. */
  wasCutOff = false;
  /** Connections that broke with a part of the output seen. */
  resumptions = 0;
  violation: string | undefined;
  readonly #client: DaemonClient;

  constructor(client: DaemonClient, task: TaskRequest) {
    this.#client = client;
    this.task = { task_id: randomUUID(), ...task };
  }

  get isOver(): boolean {
    const last = this.events.at(-1)?.event;
    return this.violation !== undefined || last === 'end' || last === 'error';
  }

  get isMidStream(): boolean {
    return !this.isOver && this.events.some((event) => event.event === 'token');
  }

  get errorCode(): string | undefined {
    const last = this.events.at(-1);
    return last?.event === 'error' ? last.data.code : undefined;
  }

  /** Posts once. Without an answer the task may or may not have been taken. */
  async post(): Promise<void> {
    try {
      const { status } = await this.#client.call('createTask', { body: this.task });
      this.admission = status === 202 ? 'accepted' : 'refused';
    } catch (error) {
      this.wasCutOff = true;
      this.#note(error);
    }
  }

  /** Posts and follows over one connection, which the daemon may take for the client itself. */
  async postStream(meanwhile?: Meanwhile, query = ''): Promise<void> {
    await this.#read(() => this.#client.postStream(this.task, { query }), meanwhile);
  }

  /** Follows until the end or the next cut; never throws. */
  async follow(meanwhile?: Meanwhile): Promise<void> {
    const after = this.events.at(-1)?.id;
    await this.#read(() => this.#client.stream(this.task.task_id, after), meanwhile);
  }

  /** @returns what is wrong with all that was received, or undefined */
  verdict(expectedText: string): string | undefined {
    if (this.violation !== undefined) return this.#tell(this.violation);
    try {
      const text = checkWholeStream(this.events);
      const { determinism } = this.task;
      const code = this.errorCode;
      if (code === undefined) return text === expectedText ? undefined : this.#tell('wrong bytes');
      if (determinism === 'best_effort' && code === 'WORKER_RESET') {
        return expectedText.startsWith(text) ? undefined : this.#tell('wrong bytes before a reset');
      }
      return this.#tell(`ended with ${code}`);
    } catch (error) {
      return this.#tell(String(error));
    }
  }

  async #read(open: () => Promise<EventStream>, meanwhile: Meanwhile | undefined): Promise<void> {
    try {
      const stream = await open();
      this.admission = 'accepted';
      await meanwhile?.(stream);
      await stream.ended;
      if (this.events.length > 0 && stream.events.length > 0) this.resumptions += 1;
      this.events.push(...stream.events);
      if (stream.violation !== undefined) this.#note(stream.violation);
    } catch (error) {
      this.#note(error);
    }
  }

  /** A connection that broke is the point of it all; an answer against the contract is not. */
  #note(error: unknown): void {
    // A post that asks for its stream at once is refused like any other, to be repeated.
    const isRefusal = error instanceof NotAStream && [429, 503].includes(error.status);
    if (isRefusal && this.admission !== 'accepted') this.admission = 'refused';
    else if (error instanceof ContractViolation) this.violation ??= error.message;
  }

  #tell(what: string): string {
    const { task_id: id, model_ref: model, determinism } = this.task;
    return `${id} (${model ?? ''}, ${determinism ?? 'strict'}): ${what}`;
  }
}
