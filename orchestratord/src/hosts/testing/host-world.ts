/**
 * One orchestratord's end of the pool API, hosts, and tasks that want to run, on virtual time. The world
 * plays the dispatcher: it gives each task to a ready replica, and again after an attempt has failed.
 */
import { OrchError, validateHostSync, type HostSync } from '@llama-orch/contracts';
import type { Lease, PoolManager } from '@llama-orch/pool-managerd';
import { SILENT, VirtualClock } from '@llama-orch/pool-managerd/testing';
import type { Logger } from '../../logging.ts';
import { InheritedLeases } from '../inherited-leases.ts';
import type { KnownHost } from '../known-hosts.ts';
import { PoolFleet } from '../pool-fleet.ts';
import { RemoteHosts } from '../remote-hosts.ts';
import type { WantedOfPool } from '../remote-models.ts';
import { openModelAdapter } from './model-adapter.ts';
import { RunCounter } from './model-gateway.ts';
import { ModelHost, type ModelHostOptions } from './model-host.ts';
import { Network } from './network.ts';

const ORCHESTRATOR_ID = '9e1b6d0c-8b1c-4c53-8a0c-0f8f3f1d7c22';
const HOLDER = 'orchestratord';
const TIMEOUTS = { connectMs: 1, controlMs: 1, headersMs: 1, bodyMs: 1 };
/** Longer than any generation takes. */
const WALL_MS = 4_000;
/** A manager without any pool of its own. */
const NO_LOCAL = {
  start: () => undefined,
  subscribe: () => () => undefined,
  stop: () => Promise.resolve(),
} as unknown as PoolManager;

interface Task {
  readonly id: string;
  attempt: { readonly replicaId: string; readonly abort: AbortController } | undefined;
}

type WorldHost = Pick<ModelHostOptions, 'replicas' | 'models' | 'broken'> & {
  readonly rate: number;
};

/** One process of orchestratord. */
interface Life {
  readonly hosts: RemoteHosts;
  readonly fleet: PoolFleet;
  readonly leases: Map<string, Lease>;
  isDead: boolean;
}

export class HostWorld {
  readonly clock = new VirtualClock();
  readonly counter = new RunCounter();
  readonly network: Network;
  readonly hosts: readonly ModelHost[];
  completed = 0;
  readonly #random: () => number;
  readonly #known = new Map<string, KnownHost>();
  readonly #wanted = new Map<string, WantedOfPool>();
  #tasks: Task[];
  #nextTask = 0;
  #life: Life;

  /** @param random 0 ≤ x < 1 */
  constructor(random: () => number, hosts: readonly WorldHost[]) {
    this.#random = random;
    this.network = new Network(this.clock, random);
    this.#tasks = Array.from({ length: 6 }, () => this.#newTask());
    this.#life = this.#start();
    this.hosts = hosts.map(
      ({ rate, ...host }, n) =>
        new ModelHost({
          ...host,
          hostId: `host${n}`,
          clock: this.clock,
          clockRate: rate,
          network: this.network,
          counter: this.counter,
          deliver: (hostId, body) => this.#deliver(hostId, body),
          random,
        }),
    );
  }

  get fleet(): PoolFleet {
    return this.#life.fleet;
  }

  readyReplicas(): number {
    return this.fleet.replicas('default').filter(({ state }) => state === 'ready').length;
  }

  /** Leases granted to this process, as the fleet sees them. */
  leased(): number {
    return this.#life.hosts
      .hosts()
      .flatMap(({ replicas }) => replicas)
      .filter((each) => each.leased).length;
  }

  /** The process is killed and started anew: its tasks wait again, its connections are closed. */
  restartOrchestratord(): void {
    this.#life.isDead = true;
    void this.#life.hosts.stop(0);
    for (const task of this.#tasks) task.attempt = undefined;
    this.#life = this.#start();
  }

  /** A watchdog, a preemption: the attempt is given up, and the task waits again. */
  abortAttempt(n: number): void {
    this.#tasks[n % this.#tasks.length]?.attempt?.abort.abort(new Error('aborted'));
  }

  /** Gives every task that waits to a ready replica. */
  pump(): void {
    const ready = this.fleet.replicas('default').filter(({ state }) => state === 'ready');
    for (const task of this.#tasks) {
      const replica = ready[Math.floor(this.#random() * ready.length)];
      if (task.attempt === undefined && replica !== undefined)
        void this.#run(task, replica.replicaId);
    }
  }

  #start(): Life {
    const { clock } = this;
    const inherited = new InheritedLeases({
      hosts: new Map(this.#known),
      clock,
      onFree: (poolId) => life.fleet.announce(poolId),
      onExpired: (hostId) => {
        // What a dead process had in mind to write is never written.
        if (!life.isDead) this.#known.delete(hostId);
      },
    });
    const hosts = new RemoteHosts({
      models: {
        wanted: new Map(this.#wanted),
        remember: (poolId, wanted) => void this.#wanted.set(poolId, wanted),
      },
      orchestratorId: ORCHESTRATOR_ID,
      poolIds: ['default'],
      hostOf: () => undefined,
      takesTurns: () => false,
      adapterOptionsOf: () => ({ timeouts: TIMEOUTS }),
      isLocal: () => false,
      openAdapter: () => (options) =>
        openModelAdapter(options, {
          hostOf: (id) => this.hosts.find(({ hostId }) => hostId === id) as ModelHost,
          network: this.network,
          clock,
        }),
      onHeard: ({ hostId, ttlMs, poolIds }) =>
        void this.#known.set(hostId, { ttlMs, poolIds: [...poolIds] }),
      onTakenOver: ({ hostId }) => inherited.end(hostId),
      onOver: ({ hostId }) => {
        if (!life.isDead) this.#known.delete(hostId);
      },
      clock,
      logger: SILENT as unknown as Logger,
    });
    const fleet = new PoolFleet({ local: NO_LOCAL, localPoolIds: [], remote: hosts, inherited });
    const life: Life = { hosts, fleet, leases: new Map(), isDead: false };
    fleet.subscribe((event) => {
      if (life.isDead) return;
      if (event.type === 'replica-gone') {
        for (const { attempt } of this.#tasks) {
          if (attempt?.replicaId === event.replica.replicaId)
            attempt.abort.abort(new Error('the replica is gone'));
        }
      }
      if (event.type !== 'replica') return;
      const { replicaId, state } = event.replica;
      const lease = state === 'ready' ? fleet.acquire(replicaId, HOLDER) : undefined;
      if (lease !== undefined) life.leases.set(replicaId, lease);
      queueMicrotask(() => {
        this.#giveBack(life, replicaId);
        this.pump();
      });
    });
    return life;
  }

  /** What takes nothing new may end once nothing runs there. */
  #giveBack({ fleet, leases }: Life, replicaId: string): void {
    const replica = fleet.replicas('default').find((each) => each.replicaId === replicaId);
    const lease = leases.get(replicaId);
    if (replica?.state !== 'draining' || lease === undefined) return;
    if (this.#tasks.some(({ attempt }) => attempt?.replicaId === replicaId)) return;
    leases.delete(replicaId);
    fleet.release(lease);
  }

  async #run(task: Task, replicaId: string): Promise<void> {
    const life = this.#life;
    const lease = life.fleet.acquire(replicaId, HOLDER);
    if (lease === undefined) return;
    const abort = new AbortController();
    const attempt = { replicaId, abort };
    task.attempt = attempt;
    const takesMs = Math.ceil(this.#random() * 3_000);
    // A lost message leaves a call without an answer, as a broken way does.
    const cancelWall = this.clock.setTimer(WALL_MS, () => abort.abort(new Error('took too long')));
    try {
      const { adapter } = life.fleet.use(lease);
      const request = { taskId: task.id, maxTokens: takesMs };
      const sink = { started: () => undefined, tokens: () => undefined };
      await adapter.submit(request as Parameters<typeof adapter.submit>[0], sink, abort.signal);
      if (!life.isDead) this.#complete(task);
    } catch {
      // It waits again.
    } finally {
      cancelWall();
    }
    if (life.isDead || task.attempt !== attempt) return;
    task.attempt = undefined;
    this.#giveBack(life, replicaId);
    queueMicrotask(() => this.pump());
  }

  #complete(task: Task): void {
    this.completed += 1;
    this.#tasks = this.#tasks.map((each) => (each === task ? this.#newTask() : each));
  }

  #newTask(): Task {
    this.#nextTask += 1;
    return { id: `task-${this.#nextTask}`, attempt: undefined };
  }

  async #deliver(hostId: string, body: HostSync): Promise<unknown> {
    const checked = validateHostSync(body);
    if (!checked.ok) throw new OrchError('INTERNAL', JSON.stringify(checked.details));
    return this.#life.hosts.sync(hostId, body);
  }
}
