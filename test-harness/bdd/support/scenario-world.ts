/** What a scenario has described, done and been told so far. */
import { randomUUID } from 'node:crypto';
import { World } from '@cucumber/cucumber';
import type { Task } from '@llama-orch/contracts';
import type { Answer } from '../../src/contract-check.ts';
import { checkEnvelope } from '../../src/contract-check.ts';
import type { CallOptions, DaemonClient } from '../../src/daemon-client.ts';
import { taskIdOf, type EventStream } from '../../src/event-stream.ts';
import type { HostProcess } from '../../src/host-process.ts';
import type { Scrape } from '../../src/metrics-text.ts';
import type { Exit } from '../../src/program-run.ts';
import type { ProcessEntry } from '../../src/process-table.ts';
import { jsonOfCell } from './expected.ts';
import { Reader } from './reader.ts';
import { EMPTY_SET_UP, type PoolSetUp, type SetUp } from './set-up.ts';
import type { Stage } from './stage.ts';
import type { Stages } from './stages.ts';

/** Fields of a task as a scenario writes them: names, and the JSON text of their values. */
export type TaskFields = Readonly<Record<string, string>>;

export interface PostedTask {
  readonly name: string;
  readonly id: string;
  readonly fields: TaskFields;
  /** Of the tenant that posted it. */
  readonly client: DaemonClient;
}

/** Instead of a prompt. */
const PROMPTS: readonly string[] = ['prompt', 'messages', 'inputs', 'query'];

export class ScenarioWorld extends World {
  setUp: SetUp = EMPTY_SET_UP;
  /** Shared daemons, and whether this scenario may share its own. */
  stages: Stages | undefined;
  isOwn = false;
  /** The key that requests carry: its secret. */
  secret: string | undefined;
  headers: Readonly<Record<string, string>> = {};
  answer: Answer | undefined;
  /** The one before the last answer. */
  answerBefore: Answer | undefined;
  answers: readonly Answer[] = [];
  readonly tasks: PostedTask[] = [];
  readonly readers: Reader[] = [];
  readonly hosts = new Map<string, HostProcess>();
  sessionId = randomUUID() as string;
  scrape: Scrape | undefined;
  promise: readonly unknown[] | undefined;
  /** When the last cancel was acknowledged, `performance.now()`. */
  acknowledgedMs = Infinity;
  /** Tasks that keep slots busy; they are none that the scenario speaks of. */
  readonly holders: { readonly id: string; readonly client: DaemonClient }[] = [];
  /** Process id of the engine that was killed. */
  killed: number | undefined;
  /** The processes of a daemon that was killed. */
  orphans: readonly ProcessEntry[] = [];
  exit: Exit | undefined;
  eventWatch: EventStream | undefined;
  watched: readonly { readonly id: number; readonly data: unknown }[] = [];
  listed: readonly Task[] = [];
  #starting: Promise<Stage> | undefined;

  // What is described

  addPool(pool: PoolSetUp): void {
    this.describe({ pools: [...this.setUp.pools, pool] });
  }

  /** Changes the pool that was described last. */
  changePool(change: (pool: PoolSetUp) => PoolSetUp): void {
    const { pools } = this.setUp;
    const last = pools.at(-1);
    if (last === undefined) throw new Error('no pool was described');
    this.describe({ pools: [...pools.slice(0, -1), change(last)] });
  }

  /** @throws Error when the daemon runs already: it would not know of the change */
  describe(changes: Partial<SetUp>): void {
    if (this.#starting !== undefined) throw new Error('the daemon runs already');
    this.setUp = { ...this.setUp, ...changes };
  }

  // What runs

  /** The daemon that was described; the first call starts it. */
  async stage(): Promise<Stage> {
    if (this.stages === undefined) throw new Error('outside of a scenario');
    this.#starting ??= this.stages.take(this.setUp, this.isOwn);
    return this.#starting;
  }

  /** The daemon, for a scenario that leaves nothing of it to share. */
  async ownStage(): Promise<Stage> {
    this.isOwn = true;
    return this.stage();
  }

  /** What the daemon has logged, when one was started. */
  async daemonLog(): Promise<string> {
    const stage = await this.#starting?.catch(() => undefined);
    return stage?.daemon.stderr ?? '';
  }

  async client(): Promise<DaemonClient> {
    const stage = await this.stage();
    return this.secret === undefined ? stage.daemon.client : stage.clientOf(this.secret);
  }

  // What was done

  /** Sends a request of the client that the scenario speaks of, and keeps the answer. */
  async send(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const client = await this.client();
    const headers = { ...this.headers, ...options.headers };
    return this.keep(await client.send(method, this.filled(path), { ...options, headers }));
  }

  /** @throws ContractViolation for an error that is no envelope */
  keep(answer: Answer): Answer {
    if (answer.status >= 400) checkEnvelope(answer);
    this.answerBefore = this.answer;
    this.answer = answer;
    return answer;
  }

  get lastAnswer(): Answer {
    if (this.answer === undefined) throw new Error('nothing was asked');
    return this.answer;
  }

  /** Fills `{task}` and `{another id}` in. */
  filled(path: string): string {
    return path
      .replace('{task}', () => this.posted().id)
      .replace('{another id}', () => randomUUID());
  }

  /** A task's fields: those given, with an id and a prompt where they are not. */
  fieldsOf(name: string, given: TaskFields = {}): TaskFields {
    const hasPrompt = PROMPTS.some((field) => field in given);
    return {
      task_id: JSON.stringify(randomUUID()),
      ...(hasPrompt ? {} : { prompt: JSON.stringify(`Tell me of ${name}.`) }),
      ...given,
    };
  }

  /** Posts a task; it is known by its name when it was accepted. */
  async post(name: string, fields: TaskFields): Promise<Answer> {
    const answer = await this.send('POST', '/v1/tasks', { rawBody: bodyOf(fields) });
    if (answer.status !== 202) return answer;
    const { task_id: id } = answer.body as { readonly task_id: string };
    this.tasks.push({ name, id, fields, client: await this.client() });
    return answer;
  }

  /** Posts a task and follows it over the same connection. @throws ContractViolation when it is refused */
  async postAndFollow(name: string, fields: TaskFields, query = ''): Promise<Reader> {
    const client = await this.client();
    const body = bodyOf(fields);
    const stream = await client.streamAt(`/v1/tasks${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.headers },
      body,
    });
    const id = taskIdOf(stream);
    this.tasks.push({ name, id, fields, client });
    return this.read(new Reader(id, client, stream));
  }

  read(reader: Reader): Reader {
    this.readers.push(reader);
    return reader;
  }

  /** The task of a name, or else the one posted last. */
  posted(name = ''): PostedTask {
    const found = this.tasks.findLast((task) => name === '' || task.name === name);
    if (found === undefined) throw new Error(`no task ${name} was accepted`);
    return found;
  }

  /** The last reader of a task. */
  reader(name = ''): Reader {
    const { id } = this.posted(name);
    const found = this.readers.findLast(({ taskId }) => taskId === id);
    if (found === undefined) throw new Error(`nobody follows task ${name}`);
    return found;
  }

  async record(name = ''): Promise<Task> {
    const { id, client } = this.posted(name);
    return client.task(id);
  }

  /** The record of a task that has ended. */
  async ended(name = ''): Promise<Task> {
    const { id, client } = this.posted(name);
    return client.untilEnded(id, 60_000);
  }

  /** Closes every connection, and gives the daemon back to be shared, or ends it. */
  async close(mayShare: boolean): Promise<void> {
    const stage = await this.#starting?.catch(() => undefined);
    this.#starting = undefined;
    for (const { stream } of this.readers) await stream.cut();
    await this.eventWatch?.cut();
    for (const host of this.hosts.values()) await host[Symbol.asyncDispose]();
    if (stage === undefined) return;
    if (mayShare && !this.isOwn) await this.stages?.giveBack(stage);
    else await stage[Symbol.asyncDispose]();
  }
}

function bodyOf(fields: TaskFields): string {
  return `{${Object.entries(fields)
    .map(([name, json]) => `${JSON.stringify(name)}:${json}`)
    .join(',')}}`;
}

/** Fields from the rows of a table. */
export function fieldsOfRows(rows: readonly (readonly string[])[]): TaskFields {
  return Object.fromEntries(rows.map(([name = '', cell = '']) => [name, jsonOfCell(cell)]));
}
