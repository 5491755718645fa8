/** Calls a daemon as a client would; every answer is held against the contract. */
import type {
  AdmissionResponse,
  ErrorEnvelope,
  OperationId,
  PoolHealthView,
  SessionInfo,
  Task,
  TaskPage,
  TaskRequest,
} from '@llama-orch/contracts';
import { OPERATIONS } from '@llama-orch/contracts';
import { Agent, request } from 'undici';
import { checkAnswer, checkEnvelope, ContractViolation, type Answer } from './contract-check.ts';
import { openEventStream, type EventStream, type StreamOptions } from './event-stream.ts';
import { waitFor } from './wait-for.ts';

export interface CallOptions {
  /** Values of the path's parameters, in order. */
  readonly path?: readonly string[];
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it stands, with content-type application/json unless `headers` say otherwise. */
  readonly rawBody?: string | Buffer;
}

export class DaemonClient implements AsyncDisposable {
  readonly #url: () => string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly agent = new Agent({ keepAliveTimeout: 2_000, headersTimeout: 30_000 });

  /**
   * @param url where the daemon listens now; it may move when it is restarted
   * @param headers sent with every request
   */
  constructor(url: () => string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url;
    this.#headers = headers;
  }

  /** Calls an operation of the contract. @throws ContractViolation */
  async call(operationId: OperationId, options: CallOptions = {}): Promise<Answer> {
    const { method, path } = OPERATIONS[operationId];
    const values = [...(options.path ?? [])];
    const filled = path.replace(/\{\w+\}/g, () => encodeURIComponent(values.shift() ?? ''));
    const answer = await this.send(method, filled + queryText(options.query), options);
    checkAnswer(operationId, answer, options.headers?.['x-correlation-id']);
    return answer;
  }

  /** Sends any request that is HTTP; checks nothing. */
  async send(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const body =
      options.rawBody ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    const response = await request(`${this.#url()}${path}`, {
      dispatcher: this.agent,
      method: method as 'GET',
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...this.#headers,
        ...options.headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.body.text();
    return {
      status: response.statusCode,
      headers: response.headers,
      text,
      body: parsed(text, response.headers),
    };
  }

  /** Expects a refusal, by status and code. @throws ContractViolation */
  async refused(
    method: string,
    path: string,
    status: number,
    options: CallOptions = {},
  ): Promise<ErrorEnvelope> {
    const answer = await this.send(method, path, options);
    const envelope = checkEnvelope(answer, options.headers?.['x-correlation-id']);
    if (answer.status === status) return envelope;
    throw new ContractViolation(
      `${method} ${path}: ${answer.status} instead of ${status}: ${answer.text}`,
    );
  }

  /** Admits a task. @throws ContractViolation when it was refused */
  async admit(
    task: TaskRequest,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<AdmissionResponse> {
    const answer = await this.call('createTask', { body: task, headers });
    if (answer.status === 202) return answer.body as AdmissionResponse;
    throw new ContractViolation(`refused: ${answer.status} ${answer.text}`);
  }

  /** Admits a task and follows it over the same connection. */
  postStream(
    task: TaskRequest,
    options: { readonly query?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<EventStream> {
    return openEventStream(this.agent, `${this.#url()}/v1/tasks${options.query ?? ''}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.#headers, ...options.headers },
      body: JSON.stringify(task),
    });
  }

  /** Follows a task. @param after the id of the last event that was seen */
  stream(taskId: string, after?: number, options: StreamOptions = {}): Promise<EventStream> {
    const headers = {
      ...this.#headers,
      ...options.headers,
      ...(after === undefined ? {} : { 'last-event-id': String(after) }),
    };
    return openEventStream(this.agent, `${this.#url()}/v1/tasks/${taskId}/stream`, {
      ...options,
      headers,
    });
  }

  streamAt(path: string, options: StreamOptions = {}): Promise<EventStream> {
    const headers = { ...this.#headers, ...options.headers };
    return openEventStream(this.agent, `${this.#url()}${path}`, { ...options, headers });
  }

  /** Admits a task and reads its stream to the end. */
  async run(
    task: TaskRequest,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<EventStream> {
    const stream = await this.postStream(task, { headers });
    await stream.toEnd();
    return stream;
  }

  async cancel(taskId: string): Promise<void> {
    const answer = await this.call('cancelTask', { path: [taskId] });
    if (answer.status !== 204)
      throw new ContractViolation(`cancel: ${answer.status} ${answer.text}`);
  }

  async task(taskId: string): Promise<Task> {
    return this.#ok<Task>('getTask', { path: [taskId] });
  }

  async tasks(query: CallOptions['query'] = {}): Promise<TaskPage> {
    return this.#ok<TaskPage>('listTasks', { query });
  }

  async session(id: string): Promise<SessionInfo> {
    return this.#ok<SessionInfo>('getSession', { path: [id] });
  }

  async poolHealth(id = 'default'): Promise<PoolHealthView> {
    return this.#ok<PoolHealthView>('getPoolHealth', { path: [id] });
  }

  /** Resolves when `count` replicas of a pool are ready. */
  async untilReady(count: number, poolId = 'default', withinMs = 30_000): Promise<PoolHealthView> {
    return waitFor(
      `${count} ready replicas`,
      async () => {
        const health = await this.poolHealth(poolId);
        return health.replicas.filter((each) => each.state === 'ready').length >= count && health;
      },
      withinMs,
    );
  }

  /** Resolves with the task once it has ended. */
  async untilEnded(taskId: string, withinMs = 30_000): Promise<Task> {
    return waitFor(
      `the end of task ${taskId}`,
      async () => {
        const task = await this.task(taskId);
        return task.state !== 'queued' && task.state !== 'running' && task;
      },
      withinMs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent.destroy();
  }

  async #ok<T>(operationId: OperationId, options: CallOptions): Promise<T> {
    const answer = await this.call(operationId, options);
    if (answer.status === 200) return answer.body as T;
    throw new ContractViolation(`${operationId}: ${answer.status} ${answer.text}`);
  }
}

function queryText(query: CallOptions['query'] = {}): string {
  const entries = Object.entries(query).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries).toString()}`;
}

function parsed(text: string, headers: Answer['headers']): unknown {
  if (text === '') return undefined;
  if (!String(headers['content-type']).startsWith('application/json')) return undefined;
  return JSON.parse(text) as unknown;
}
