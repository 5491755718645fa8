/**
 * A gateway without sockets and the engine behind it: generations that take their time, end with the lease
 * or when told to, and are counted, so that two of one task at once are found.
 */
import type { VirtualClock } from '@llama-orch/pool-managerd/testing';

export interface ModelRequest {
  readonly replicaId: string;
  readonly credential: string;
  readonly requestId: string;
  readonly taskId: string;
  readonly takesMs: number;
  readonly onReply: (reply: 'done' | 'broken' | 'stale') => void;
}

interface Run {
  readonly request: ModelRequest;
  readonly cancelEnd: () => void;
}

/** How often each task is being run, on all hosts together. */
export class RunCounter {
  readonly #running = new Map<string, number>();
  readonly violations: string[] = [];
  started = 0;

  begin(taskId: string, where: string): void {
    const count = (this.#running.get(taskId) ?? 0) + 1;
    this.#running.set(taskId, count);
    this.started += 1;
    if (count > 1) this.violations.push(`${taskId} runs ${count} times at once, now on ${where}`);
  }

  end(taskId: string): void {
    this.#running.set(taskId, (this.#running.get(taskId) ?? 0) - 1);
  }
}

export class ModelGateway {
  readonly #clock: VirtualClock;
  readonly #counter: RunCounter;
  readonly #authorize: (replicaId: string, credential: string) => boolean;
  readonly #runs = new Map<string, Run>();
  readonly #ended = new Set<string>();
  #isDead = false;

  constructor(
    clock: VirtualClock,
    counter: RunCounter,
    authorize: (replicaId: string, credential: string) => boolean,
  ) {
    this.#clock = clock;
    this.#counter = counter;
    this.#authorize = authorize;
  }

  request(request: ModelRequest): void {
    if (this.#isDead) return request.onReply('broken');
    const { requestId, replicaId, credential, taskId, takesMs } = request;
    if (!this.#authorize(replicaId, credential) || this.#ended.has(requestId))
      return request.onReply('stale');
    this.#counter.begin(taskId, replicaId);
    const cancelEnd = this.#clock.setTimer(takesMs, () => this.#finish(requestId, 'done'));
    this.#runs.set(requestId, { request, cancelEnd });
  }

  cut(replicaId: string): void {
    for (const [id, { request }] of [...this.#runs])
      if (request.replicaId === replicaId) this.#finish(id, 'broken');
  }

  end(requestId: string): void {
    this.#ended.add(requestId);
    this.#finish(requestId, 'broken');
  }

  /** The process is killed: the system closes its connections. */
  die(): void {
    this.#isDead = true;
    for (const id of [...this.#runs.keys()]) this.#finish(id, 'broken');
  }

  #finish(requestId: string, reply: 'done' | 'broken'): void {
    const run = this.#runs.get(requestId);
    if (run === undefined) return;
    this.#runs.delete(requestId);
    run.cancelEnd();
    this.#counter.end(run.request.taskId);
    run.request.onReply(reply);
  }
}
