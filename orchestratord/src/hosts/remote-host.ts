/**
 * One registered host, from one instance of its pool-managerd. What it may be doing is judged by what
 * arrived from it and when (OC-POOL-3112): a replica is ready while all is known to be well, unready as
 * soon as that is not known, and gone once nothing of ours can run on it.
 */
import type {
  HostCommand,
  HostEvent,
  HostInstance,
  HostPool,
  HostSync,
  HostSyncAnswer,
  HostView,
  ModelWish,
} from '@llama-orch/contracts';
import { CommandQueue } from './command-queue.ts';
import { holdMs, overdueAfterMs, surelyOverAfterMs, type RemoteReplica } from './host-state.ts';
import { RemoteReplicas, type RemoteReplicasOptions } from './remote-replicas.ts';

export interface RemoteHostOptions extends Pick<
  RemoteReplicasOptions,
  'adapterOptionsOf' | 'openAdapter' | 'emit' | 'clock'
> {
  readonly hostId: string;
  readonly orchestrator: HostSyncAnswer['orchestrator'];
  readonly isDraining: (poolId: string) => boolean;
  /** What a pool is to serve on this host, where somebody has said it. */
  readonly wishOf: (poolId: string, hostId: string) => ModelWish | undefined;
  /** It has reported. */
  readonly onReport: (host: RemoteHost) => void;
  /** It is heard of, first or again after it was over; must be durable before it returns. */
  readonly onHeard: (host: RemoteHost) => void;
  /** It has heard of this process, and taken back what it granted to the one before. */
  readonly onTakenOver: (host: RemoteHost) => void;
  /** Nothing of ours can run on it any more. */
  readonly onOver: (host: RemoteHost) => void;
}

export class RemoteHost {
  readonly hostId: string;
  readonly instance: HostInstance;
  readonly #options: RemoteHostOptions;
  readonly #replicas: RemoteReplicas;
  readonly #commands = new CommandQueue();
  /** The pools of its configuration; undefined for a host that tells of none. */
  #pools: ReadonlyMap<string, HostPool> | undefined;
  /** What it says of wishes is of those of this process. */
  #hasHeardOfUs = false;
  #gatewayUrl: string;
  #ttlMs: number;
  #lastSeenMs: number;
  #isOverdue = false;
  #isOver = true;
  #isClosed = false;
  /** The newest sync that was used. */
  #seq = 0;
  #event = 0;
  #answers = 0;
  /** What the last answer said. */
  #said = '';
  #releaseHeld: (() => void) | undefined;
  #cancelCheck: (() => void) | undefined;

  constructor(sync: HostSync, options: RemoteHostOptions) {
    this.#options = options;
    this.hostId = options.hostId;
    this.instance = sync.instance;
    this.#gatewayUrl = sync.gateway_url;
    this.#ttlMs = sync.lease_ttl_ms;
    this.#lastSeenMs = options.clock.now();
    this.#replicas = new RemoteReplicas({
      ...options,
      host: this,
      instanceId: options.orchestrator.instance_id,
      endRequest: (requestId, onDone) => {
        const giveUp = this.#commands.end(requestId, onDone);
        this.speak();
        return giveUp;
      },
    });
  }

  get gatewayUrl(): string {
    return this.#gatewayUrl;
  }

  get ttlMs(): number {
    return this.#ttlMs;
  }

  get isOverdue(): boolean {
    return this.#isOverdue;
  }

  /** Nothing of ours can run on it, as far as is known. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** From then on nothing of ours can run there, unless it is heard of again. */
  get surelyOverAtMs(): number {
    return this.#lastSeenMs + surelyOverAfterMs(this.#ttlMs);
  }

  get replicas(): Iterable<RemoteReplica> {
    return this.#replicas.all();
  }

  /** Those that it has replicas of. */
  get poolIds(): ReadonlySet<string> {
    return new Set([...this.replicas].map(({ report }) => report.pool_id));
  }

  /** As it has them in its configuration; none of a host that does not tell. */
  get pools(): Iterable<HostPool> {
    return this.#pools?.values() ?? [];
  }

  /** It knows of models, so that it can be told which to serve. */
  get canChangeModels(): boolean {
    return this.#pools !== undefined;
  }

  hasPool(poolId: string): boolean {
    return this.#pools?.has(poolId) ?? this.poolIds.has(poolId);
  }

  /** What the host says of that wish; undefined while it has not heard of it. */
  stateOf(poolId: string, wish: number): Pick<HostPool, 'state' | 'reason'> | undefined {
    const pool = this.#hasHeardOfUs ? this.#pools?.get(poolId) : undefined;
    return pool?.wish === wish ? pool : undefined;
  }

  replica(replicaId: string): RemoteReplica | undefined {
    return this.#replicas.get(replicaId);
  }

  view(): HostView {
    return {
      host_id: this.hostId,
      instance_id: this.instance.id,
      gateway_url: this.#gatewayUrl,
      overdue: this.#isOverdue,
      last_seen_ms: Math.max(0, Math.round(this.#options.clock.now() - this.#lastSeenMs)),
      replicas: [...this.replicas].flatMap(({ told, held }) =>
        told === undefined
          ? []
          : {
              replica_id: told.replicaId,
              pool_id: told.poolId,
              state: told.state,
              leased: held !== undefined,
            },
      ),
    };
  }

  /**
   * Takes a report and resolves with what the host is to do: at once when there is something it has not
   * heard, else when there is, or when the time to hold a sync is over.
   */
  async sync(sync: HostSync): Promise<HostSyncAnswer> {
    // What was overtaken on its way says nothing any more, but its sender may wait for an answer.
    if (sync.seq <= this.#seq) return this.#answer();
    this.#take(sync);
    this.#releaseHeld?.();
    const { heard } = sync;
    const { instance_id: instanceId } = this.#options.orchestrator;
    const hasHeard = heard?.instance_id === instanceId && heard.answer === this.#answers;
    if (hasHeard && this.#saying() === this.#said && !this.#isClosed) await this.#hold();
    return this.#answer();
  }

  /** There may be something new to say: answers the sync that is held. */
  speak(): void {
    if (this.#saying() !== this.#said) this.#releaseHeld?.();
  }

  tell(command: Omit<HostCommand, 'n'>): void {
    this.#commands.put(command);
    this.speak();
  }

  /** Gives a lease back; once the host has taken it the replica is asked for again. */
  release(replica: RemoteReplica): void {
    if (replica.held !== undefined) replica.spentToken = replica.held.lease.token;
    this.speak();
  }

  /** Its process is dead, or has stopped its engines: nothing runs there, and nothing will. */
  end(): void {
    this.close();
    this.#replicas.end();
  }

  /** Asks for nothing any more; what is held is given back with the next answer. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    this.#cancelCheck?.();
    this.#releaseHeld?.();
  }

  // ── what arrives ────────────────────────────────────────────────────────────────────────────────

  #take(sync: HostSync): void {
    const { clock, orchestrator } = this.#options;
    const nowMs = clock.now();
    this.#seq = sync.seq;
    this.#lastSeenMs = nowMs;
    this.#isOverdue = false;
    this.#gatewayUrl = sync.gateway_url;
    this.#ttlMs = sync.lease_ttl_ms;
    this.#pools = sync.pools && new Map(sync.pools.map((each) => [each.pool_id, each]));
    this.#hasHeardOfUs = sync.heard?.instance_id === orchestrator.instance_id;
    if (sync.heard !== undefined && this.#hasHeardOfUs) {
      this.#commands.done(sync.heard.command);
      this.#options.onTakenOver(this);
    }
    this.#replicas.take(sync);
    if (this.#isOver) {
      this.#isOver = false;
      this.#options.onHeard(this);
    }
    this.#replicas.takeLeases(sync, nowMs + surelyOverAfterMs(this.#ttlMs), this.#event);
    for (const event of sync.events) this.#takeEvent(event);
    this.#scheduleCheck();
    this.#options.onReport(this);
  }

  #takeEvent({ n, type, replica_id: replicaId, ...event }: HostEvent): void {
    if (n <= this.#event) return;
    this.#event = n;
    const replica = this.replica(replicaId)?.told;
    if (replica === undefined) return;
    const { emit } = this.#options;
    switch (type) {
      case 'restart':
        emit({ type, replica, reason: event.reason ?? '', delayMs: event.delay_ms ?? 0 });
        return;
      case 'preload':
        emit({ type, replica, outcome: event.outcome ?? 'failed', ms: event.took_ms ?? 0 });
        return;
      case 'lease':
        if (event.lease !== undefined)
          emit({ type, poolId: replica.poolId, replicaId, event: event.lease });
        return;
      case 'gone':
        // Told with the lease that ended by it.
        return;
    }
  }

  // ── what does not ───────────────────────────────────────────────────────────────────────────────

  #scheduleCheck(): void {
    this.#cancelCheck?.();
    if (this.#isClosed) return;
    const { clock } = this.#options;
    const dueAtMs = this.#isOverdue
      ? this.surelyOverAtMs
      : this.#lastSeenMs + overdueAfterMs(this.#ttlMs);
    this.#cancelCheck = clock.setTimer(Math.max(1, dueAtMs - clock.now()), () => this.#check());
  }

  #check(): void {
    const nowMs = this.#options.clock.now();
    if (nowMs < this.#lastSeenMs + overdueAfterMs(this.#ttlMs)) return this.#scheduleCheck();
    this.#isOverdue = true;
    this.#replicas.overdue(nowMs);
    if (nowMs < this.surelyOverAtMs) return this.#scheduleCheck();
    this.#isOver = true;
    this.#options.onOver(this);
  }

  // ── answers ─────────────────────────────────────────────────────────────────────────────────────

  async #hold(): Promise<void> {
    await new Promise<void>((resolve) => {
      const release = (): void => {
        cancel();
        if (this.#releaseHeld === release) this.#releaseHeld = undefined;
        resolve();
      };
      const cancel = this.#options.clock.setTimer(holdMs(this.#ttlMs), release);
      this.#releaseHeld = release;
    });
  }

  #answer(): HostSyncAnswer {
    this.#answers += 1;
    this.#said = this.#saying();
    const models = this.#models();
    return {
      orchestrator: this.#options.orchestrator,
      answer: this.#answers,
      event: this.#event,
      lease: this.#wanted(),
      drain: this.#drained(),
      commands: this.#commands.next(),
      ...(models.length === 0 ? {} : { models }),
      next_sync_ms: holdMs(this.#ttlMs),
    };
  }

  /** Equal as long as there is nothing new to say. */
  #saying(): string {
    return JSON.stringify([
      this.#wanted(),
      this.#drained(),
      this.#commands.lastN,
      this.#models().map(({ pool_id: poolId, n }) => [poolId, n]),
    ]);
  }

  #wanted(): string[] {
    return this.#isClosed ? [] : this.#replicas.wanted();
  }

  #drained(): string[] {
    return [...this.poolIds].filter((poolId) => this.#options.isDraining(poolId));
  }

  #models(): ModelWish[] {
    return [...this.pools].flatMap(
      ({ pool_id: poolId }) => this.#options.wishOf(poolId, this.hostId) ?? [],
    );
  }
}
