/**
 * A reader of one SSE answer: collects its events with their arrival times and checks each against the
 * contract. It can stop reading for a while, and can be cut off.
 */
import type { TaskEvents } from '@llama-orch/contracts';
import { request, type Agent, type Dispatcher } from 'undici';
import { checkEvent, ContractViolation } from './contract-check.ts';
import { SseDecoder } from './sse-decoder.ts';
import { within } from './wait-for.ts';

/** An event of a task's stream. */
export type TaskEvent = {
  [Name in keyof TaskEvents]: {
    readonly id: number;
    readonly event: Name;
    readonly data: TaskEvents[Name];
    /** `performance.now()` when it was read. */
    readonly atMs: number;
  };
}[keyof TaskEvents];

export interface StreamOptions {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Checks one event; by default as an event of a task. @throws ContractViolation */
  readonly check?: (event: string, data: unknown) => void;
}

/** How a stream ended: the daemon closed it, the reader left, or the connection broke. */
export type StreamEnd = 'closed' | 'left' | 'broken';

/** An answer without a stream. What it says instead is not checked. */
export class NotAStream extends ContractViolation {
  readonly status: number;

  constructor(status: number, type: string, text: string) {
    super(`not a stream: ${status} ${type} ${text}`);
    this.status = status;
  }
}

export class EventStream implements AsyncDisposable {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly events: TaskEvent[] = [];
  /** Resolves when nothing more will come. */
  readonly ended: Promise<StreamEnd>;
  readonly #body: Dispatcher.ResponseData['body'];
  readonly #decoder = new SseDecoder();
  readonly #check: (event: string, data: unknown) => void;
  readonly #watchers = new Set<() => void>();
  #violation: Error | undefined;
  #end: StreamEnd | undefined;
  #left = false;

  constructor(response: Dispatcher.ResponseData, options: StreamOptions) {
    this.status = response.statusCode;
    this.headers = response.headers;
    this.#body = response.body;
    this.#check = options.check ?? checkEvent;
    this.ended = new Promise((resolve) => {
      const over = (end: StreamEnd): void => {
        this.#end ??= this.#left ? 'left' : end;
        this.#wake();
        resolve(this.#end);
      };
      this.#body.on('data', (bytes: Buffer) => this.#take(bytes));
      this.#body.on('end', () => over('closed'));
      this.#body.on('error', () => over('broken'));
      this.#body.on('close', () => over('broken'));
    });
  }

  /** What the daemon sent against the contract, if it did. */
  get violation(): Error | undefined {
    return this.#violation;
  }

  /** Comment lines received. */
  get comments(): number {
    return this.#decoder.comments;
  }

  get lastId(): number {
    return this.events.at(-1)?.id ?? 0;
  }

  get tokens(): readonly Extract<TaskEvent, { event: 'token' }>[] {
    return this.events.filter((event) => event.event === 'token');
  }

  get text(): string {
    return this.tokens.map((token) => token.data.t).join('');
  }

  /** The `end` or `error` event, when it has come. */
  get terminal(): Extract<TaskEvent, { event: 'end' | 'error' }> | undefined {
    const last = this.events.at(-1);
    return last?.event === 'end' || last?.event === 'error' ? last : undefined;
  }

  /** Waits for a state of this reader. @throws Error when the stream ends without it, or in time */
  async until(what: string, condition: () => boolean, withinMs = 15_000): Promise<void> {
    let watcher: (() => void) | undefined;
    const reached = new Promise<void>((resolve, reject) => {
      watcher = () => {
        if (this.#violation !== undefined) reject(this.#violation);
        else if (condition()) resolve();
        else if (this.#end !== undefined) {
          reject(new Error(`the stream ended (${this.#end}) before ${what}: ${this.#tail()}`));
        }
      };
      this.#watchers.add(watcher);
      watcher();
    });
    try {
      await within(what, reached, withinMs);
    } finally {
      if (watcher !== undefined) this.#watchers.delete(watcher);
    }
  }

  /** Reads to the end. @throws Error when it ends without `end` or `error` */
  async toEnd(withinMs = 30_000): Promise<Extract<TaskEvent, { event: 'end' | 'error' }>> {
    await within('the end of a stream', this.ended, withinMs);
    if (this.#violation !== undefined) throw this.#violation;
    const { terminal } = this;
    if (terminal !== undefined) return terminal;
    throw new Error(`the stream ended (${this.#end}) without end or error: ${this.#tail()}`);
  }

  /** Stops taking bytes: the daemon's socket fills up. */
  pause(): void {
    this.#body.pause();
  }

  resume(): void {
    this.#body.resume();
  }

  /** Leaves, as a client that went away. */
  async cut(): Promise<void> {
    this.#left = true;
    this.#body.destroy();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }

  #take(bytes: Buffer): void {
    try {
      for (const frame of this.#decoder.push(bytes)) {
        const data: unknown = JSON.parse(frame.data);
        this.#check(frame.event, data);
        const id = /^\d+$/.test(frame.id ?? '') ? Number(frame.id) : NaN;
        if (!Number.isSafeInteger(id))
          throw new ContractViolation(`event without id: ${frame.data}`);
        if (id <= this.lastId) throw new ContractViolation(`id ${id} after ${this.lastId}`);
        this.events.push({ id, event: frame.event, data, atMs: performance.now() } as TaskEvent);
      }
    } catch (error) {
      this.#violation ??= error instanceof Error ? error : new Error(String(error));
    }
    this.#wake();
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #tail(): string {
    return JSON.stringify(this.events.slice(-3));
  }
}

/**
 * Connects and resolves once the head has come. Statuses other than 200 resolve too: their answer is the
 * caller's to read.
 */
export async function openEventStream(
  agent: Agent,
  url: string,
  options: StreamOptions = {},
): Promise<EventStream> {
  const response = await request(url, {
    dispatcher: agent,
    method: options.method ?? 'GET',
    headers: { accept: 'text/event-stream', ...options.headers },
    bodyTimeout: 0,
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  const type = response.headers['content-type'];
  if (response.statusCode !== 200 || !String(type).startsWith('text/event-stream')) {
    const text = await response.body.text();
    throw new NotAStream(response.statusCode, String(type), text);
  }
  if (typeof response.headers['x-correlation-id'] !== 'string') {
    throw new ContractViolation('a stream without X-Correlation-Id');
  }
  return new EventStream(response, options);
}

/** The task of a stream that a POST opened. @throws ContractViolation when it has no Location */
export function taskIdOf(stream: EventStream): string {
  const [, id] = /^\/v1\/tasks\/([0-9a-f-]{36})$/i.exec(String(stream.headers['location'])) ?? [];
  if (id === undefined) throw new ContractViolation('a POST stream without Location');
  return id;
}
