/**
 * Many tasks and their clients, who never give up: whoever gets no answer or is refused posts again with the
 * same id, and whoever is cut off comes back for the rest, whatever becomes of the daemon meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Task } from '@llama-orch/contracts';
import type { DaemonClient } from '../src/daemon-client.ts';
import type { EventStream } from '../src/event-stream.ts';
import { ContractViolation } from '../src/contract-check.ts';
import { waitFor } from '../src/wait-for.ts';
import { ChaosClient } from './chaos-client.ts';
import { planLoadTask, type LoadShape, type LoadTask } from './load-plan.ts';
import type { Observation } from './verdict.ts';

export interface LoadOptions extends LoadShape {
  /** At least: more follow until the load is released. */
  readonly tasks: number;
  /** Tasks whose clients are about at once. */
  readonly open: number;
}

export interface LoadFigures {
  readonly resumptions: number;
  /** Posts that were refused, by the daemon's choice. */
  readonly refusals: number;
  /** Posts without an answer. */
  readonly unanswered: number;
  readonly canceled: number;
  readonly tokens: number;
}

const RETRY_MS = 20;
/** Less than the daemon asks for: these are impatient. */
const REFUSED_MS = 100;
/** Bounds a hang: after it a task counts as lost. */
const PATIENCE_MS = 240_000;
/** Turns of the event loop in which everything is read that was sent before an answer that was read. */
const TURNS = 20;

export class Load {
  readonly #options: LoadOptions;
  readonly #client: DaemonClient;
  readonly #observations: Observation[] = [];
  readonly #vanished: (() => Promise<void>)[] = [];
  readonly #running: Promise<void>;
  #figures = { resumptions: 0, refusals: 0, unanswered: 0, canceled: 0, tokens: 0 };
  #done = 0;
  #midStream = 0;
  #isReleased = false;

  constructor(client: DaemonClient, options: LoadOptions) {
    this.#client = client;
    this.#options = options;
    this.#running = this.#runAll();
  }

  /** Clients that are done, or away until the others are. */
  get done(): number {
    return this.#done;
  }

  /** Connections on which something was read and more is to come. */
  get midStream(): number {
    return this.#midStream;
  }

  get figures(): LoadFigures {
    return this.#figures;
  }

  /** No task is begun any more beyond those that were asked for. */
  release(): void {
    this.#isReleased = true;
  }

  /** Resolves with what each client saw, once the load is released and all are done. */
  async observations(): Promise<readonly Observation[]> {
    await this.#running;
    return this.#observations;
  }

  /** Resolves when so many more tasks are done. */
  async untilDone(more: number): Promise<void> {
    const wanted = this.#done + more;
    await waitFor('tasks to be done', () => this.#done >= wanted, PATIENCE_MS);
  }

  /** Resolves when clients are in the middle of so many streams. */
  async untilMidStream(count: number): Promise<void> {
    await waitFor('open streams', () => this.#midStream >= count, PATIENCE_MS);
  }

  async #runAll(): Promise<void> {
    const { tasks, open } = this.#options;
    let next = 0;
    const work = async (): Promise<void> => {
      for (let n = next++; n < tasks || !this.#isReleased; n = next++) {
        await this.#runOne(planLoadTask(this.#options, n));
        this.#done += 1;
      }
    };
    await Promise.all(Array.from({ length: open }, work));
    await Promise.all(this.#vanished.map((comesBack) => comesBack()));
  }

  async #runOne(task: LoadTask): Promise<void> {
    const run = new ClientRun(this.#client, task, (change) => (this.#midStream += change));
    const finish = async (): Promise<void> => {
      const observation = await run.toEnd();
      const { resumptions, refusals, unanswered, canceled, tokens } = this.#figures;
      this.#figures = {
        resumptions: resumptions + run.client.resumptions,
        refusals: refusals + run.refusals,
        unanswered: unanswered + run.unanswered,
        canceled: canceled + (observation.tokensAtCancel === undefined ? 0 : 1),
        tokens: tokens + observation.events.filter(({ event }) => event === 'token').length,
      };
      this.#observations.push(observation);
    };
    if (task.behaviour.kind === 'vanishes') {
      await run.postAndVanish(task.behaviour.at);
      this.#vanished.push(finish);
    } else await finish();
  }
}

class ClientRun {
  readonly client: ChaosClient;
  refusals = 0;
  unanswered = 0;
  readonly #daemon: DaemonClient;
  readonly #task: LoadTask;
  readonly #onMidStream: (change: 1 | -1) => void;
  #tokensAtCancel: number | undefined;
  #endMs = performance.now() + PATIENCE_MS;

  constructor(daemon: DaemonClient, task: LoadTask, onMidStream: (change: 1 | -1) => void) {
    this.#daemon = daemon;
    this.#task = task;
    this.#onMidStream = onMidStream;
    this.client = new ChaosClient(daemon, task.request);
  }

  async postAndVanish(at: number): Promise<void> {
    await this.client.postStream(this.#leaveAt(at));
    // Its connection may have broken before it was told that its task was taken.
    await this.#untilAccepted();
  }

  async toEnd(): Promise<Observation> {
    const { client } = this;
    const { request, behaviour, expectedText } = this.#task;
    this.#endMs = performance.now() + PATIENCE_MS;
    await this.#untilAccepted();
    if (behaviour.kind === 'returns') {
      for (const at of behaviour.at) if (!client.isOver) await client.follow(this.#leaveAt(at));
    }
    if (behaviour.kind === 'cancels') {
      await client.follow((stream) => this.#cancel(stream, behaviour.at, behaviour.leaves));
    }
    while (!client.isOver && this.#mayGoOn) {
      await client.follow((stream) => this.#readOn(stream));
      if (!client.isOver) await sleep(RETRY_MS);
    }
    return {
      taskId: request.task_id,
      isBestEffort: request.determinism === 'best_effort',
      expectedText,
      refusals: this.refusals,
      events: client.events,
      tokensAtCancel: this.#tokensAtCancel,
      state: client.isOver ? await this.#state() : undefined,
      violation: client.violation,
    };
  }

  get #mayGoOn(): boolean {
    return performance.now() < this.#endMs;
  }

  async #untilAccepted(): Promise<void> {
    const { client } = this;
    while (client.admission !== 'accepted' && client.violation === undefined && this.#mayGoOn) {
      client.admission = 'unanswered';
      await client.post();
      // `post` has set it again.
      const admission = client.admission as ChaosClient['admission'];
      if (admission === 'refused') this.refusals += 1;
      if (admission === 'unanswered') this.unanswered += 1;
      if (admission !== 'accepted') {
        await sleep(admission === 'refused' ? REFUSED_MS : RETRY_MS);
      }
    }
  }

  #leaveAt(events: number): (stream: EventStream) => Promise<void> {
    return async (stream) => {
      if (await this.#seen(stream, events)) await stream.cut();
    };
  }

  async #readOn(stream: EventStream): Promise<void> {
    if (!(await this.#seen(stream, 2))) return;
    this.#onMidStream(1);
    await stream.ended;
    this.#onMidStream(-1);
  }

  async #cancel(stream: EventStream, at: number, leaves: boolean): Promise<void> {
    const seen = await this.#seen(stream, at);
    // Whoever was cut off cancels all the same.
    if (!seen && this.client.isOver) return;
    if (!(await this.#acknowledgedCancel())) return;
    if (leaves) await stream.cut();
    else for (let turn = 0; turn < TURNS; turn += 1) await new Promise(setImmediate);
    this.#tokensAtCancel = tokensOf(this.client) + stream.tokens.length;
  }

  /** Asks until it is answered. @returns false when that does not come */
  async #acknowledgedCancel(): Promise<boolean> {
    while (this.#mayGoOn) {
      try {
        await this.#daemon.cancel(this.#task.request.task_id);
        return true;
      } catch (error) {
        if (error instanceof ContractViolation && !/^cancel: 503 /.test(error.message)) {
          this.client.violation ??= error.message;
          return false;
        }
        await sleep(RETRY_MS);
      }
    }
    return false;
  }

  async #state(): Promise<Task['state'] | undefined> {
    while (this.#mayGoOn) {
      try {
        return (await this.#daemon.task(this.#task.request.task_id)).state;
      } catch (error) {
        if (error instanceof ContractViolation) this.client.violation ??= error.message;
        if (error instanceof ContractViolation) return undefined;
        await sleep(RETRY_MS);
      }
    }
    return undefined;
  }

  /** @returns false when the stream ended before it had so many events */
  async #seen(stream: EventStream, events: number): Promise<boolean> {
    try {
      await stream.until('events', () => stream.events.length >= events, PATIENCE_MS);
      return true;
    } catch {
      return false;
    }
  }
}

function tokensOf({ events }: ChaosClient): number {
  return events.filter(({ event }) => event === 'token').length;
}
