/**
 * One registered host, from one instance of its pool-managerd. What it may be doing is judged by what
 * arrived from it and when (OC-POOL-3112): a replica is ready while all is known to be well, unready as
 * soon as that is not known, and gone once nothing of ours can run on it.
 */
import type {
  HostCommand,
  HostEvent,
  HostInstance,
  HostLease,
  HostReplica,
  HostSync,
  HostSyncAnswer,
  HostView,
} from '@llama-orch/contracts';
import type { PoolEvent } from '@llama-orch/pool-managerd';
import type { AdapterOptions, EngineName, OpenAdapter } from '@llama-orch/worker-adapters';
import type { Clock } from '../clock.ts';
import { CommandQueue } from './command-queue.ts';
import { FencedAdapter } from './fenced-adapter.ts';
import {
  differs,
  holdMs,
  overdueAfterMs,
  snapshotOf,
  surelyOverAfterMs,
  type HeldLease,
  type RemoteReplica,
} from './host-state.ts';
import { currentRequestId } from './request-scope.ts';

export type PoolAdapterOptions = Pick<
  AdapterOptions,
  'timeouts' | 'model' | 'chatTemplate' | 'textOutput'
>;

export interface RemoteHostOptions {
  readonly hostId: string;
  readonly orchestrator: HostSyncAnswer['orchestrator'];
  /** What the configuration says of a pool's engines. */
  readonly adapterOptionsOf: (poolId: string) => PoolAdapterOptions;
  readonly openAdapter: (engine: EngineName) => OpenAdapter;
  readonly isDraining: (poolId: string) => boolean;
  readonly emit: (event: PoolEvent) => void;
  /** It is heard of, first or again after it was over; must be durable before it returns. */
  readonly onHeard: (host: RemoteHost) => void;
  /** It has heard of this process, and taken back what it granted to the one before. */
  readonly onTakenOver: (host: RemoteHost) => void;
  /** Nothing of ours can run on it any more. */
  readonly onOver: (host: RemoteHost) => void;
  readonly clock: Clock;
}

/** Until a gateway that did not answer is asked again, ms. */
const ASK_AGAIN_MS = 200;
/** Twice: while aborted streams close, their slots may have been given to the next tasks. */
const STREAMS_PER_SLOT = 2;
const SPARE_STREAMS = 2;

export class RemoteHost {
  readonly hostId: string;
  readonly instance: HostInstance;
  readonly replicas = new Map<string, RemoteReplica>();
  readonly #options: RemoteHostOptions;
  readonly #commands = new CommandQueue();
  /** Who waits to hear that a request under a lease is over. */
  readonly #waiters = new Map<HeldLease, Set<() => void>>();
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

  /** From then on nothing of ours can run there, unless it is heard of again. */
  get surelyOverAtMs(): number {
    return this.#lastSeenMs + surelyOverAfterMs(this.#ttlMs);
  }

  get poolIds(): ReadonlySet<string> {
    return new Set([...this.replicas.values()].map(({ report }) => report.pool_id));
  }

  view(): HostView {
    return {
      host_id: this.hostId,
      instance_id: this.instance.id,
      gateway_url: this.#gatewayUrl,
      overdue: this.#isOverdue,
      last_seen_ms: Math.max(0, Math.round(this.#options.clock.now() - this.#lastSeenMs)),
      replicas: [...this.replicas.values()].flatMap(({ told, held }) =>
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
    for (const replica of this.replicas.values()) {
      this.#lose(replica);
      replica.report = { ...replica.report, state: 'stopped' };
      this.#tellOf(replica);
    }
    this.replicas.clear();
  }

  /** Asks for nothing any more; what is held is given back with the next answer. Safe to call twice. */
  close(): void {
    this.#isClosed = true;
    this.#cancelCheck?.();
    this.#releaseHeld?.();
  }

  // ── what arrives ────────────────────────────────────────────────────────────────────────────────

  #take(sync: HostSync): void {
    const nowMs = this.#options.clock.now();
    this.#seq = sync.seq;
    this.#lastSeenMs = nowMs;
    this.#isOverdue = false;
    this.#gatewayUrl = sync.gateway_url;
    this.#ttlMs = sync.lease_ttl_ms;
    const { instance_id: instanceId } = this.#options.orchestrator;
    if (sync.heard?.instance_id === instanceId) {
      this.#commands.done(sync.heard.command);
      this.#options.onTakenOver(this);
    }
    this.#takeReplicas(sync);
    if (this.#isOver) {
      this.#isOver = false;
      this.#options.onHeard(this);
    }
    this.#takeLeases(sync, nowMs + surelyOverAfterMs(this.#ttlMs));
    for (const event of sync.events) this.#takeEvent(event);
    this.#scheduleCheck();
  }

  #takeReplicas({ replicas }: HostSync): void {
    const reported = new Set(replicas.map((each) => each.replica_id));
    for (const [id, replica] of [...this.replicas]) {
      if (reported.has(id)) continue;
      this.#lose(replica);
      replica.report = { ...replica.report, state: 'stopped' };
      this.#tellOf(replica);
      this.replicas.delete(id);
    }
    for (const report of replicas) this.#takeReport(report);
  }

  #takeReport(report: HostReplica): void {
    const known = this.replicas.get(report.replica_id);
    if (known !== undefined) {
      known.report = report;
      return;
    }
    this.replicas.set(report.replica_id, {
      report,
      held: undefined,
      reportedToken: 0,
      spentToken: 0,
      told: undefined,
    });
  }

  #takeLeases({ leases, events }: HostSync, surelyOverAtMs: number): void {
    const { instance_id: instanceId } = this.#options.orchestrator;
    const mine = new Map(
      leases
        .filter((each) => each.orchestrator_instance_id === instanceId)
        .map((each) => [each.replica_id, each]),
    );
    for (const [id, replica] of this.replicas) {
      const granted = mine.get(id);
      replica.reportedToken = granted?.token ?? 0;
      // Its end is the host's to tell, and it has: everything under it was cut off.
      if (replica.held?.lease.token !== granted?.token)
        this.#lose(replica, this.#hasCrashed(id, events));
      if (granted !== undefined && granted.token > replica.spentToken)
        this.#holdLease(replica, granted, surelyOverAtMs);
      this.#tellOf(replica);
    }
  }

  /** What was told before says nothing of the lease that ends now. */
  #hasCrashed(id: string, events: readonly HostEvent[]): boolean {
    return events.some(
      ({ n, replica_id: replicaId, crashed }) =>
        n > this.#event && replicaId === id && crashed === true,
    );
  }

  #holdLease(replica: RemoteReplica, granted: HostLease, surelyOverAtMs: number): void {
    if (replica.held !== undefined) {
      replica.held.surelyOverAtMs = surelyOverAtMs;
      return;
    }
    const held: HeldLease = {
      lease: { replicaId: granted.replica_id, token: granted.token },
      adapter: this.#openAdapter(replica.report, granted, (requestId) =>
        this.#whenOver(held, requestId),
      ),
      surelyOverAtMs,
      isOver: false,
      hasAnswered: false,
      complaint: undefined,
    };
    replica.held = held;
    void this.#ask(replica, held);
  }

  #takeEvent({ n, type, replica_id: replicaId, ...event }: HostEvent): void {
    if (n <= this.#event) return;
    this.#event = n;
    const replica = this.replicas.get(replicaId)?.told;
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
    for (const replica of this.replicas.values()) {
      if (replica.held !== undefined && replica.held.surelyOverAtMs <= nowMs) this.#lose(replica);
      replica.held?.adapter.keepAlive();
      this.#tellOf(replica);
    }
    if (nowMs < this.surelyOverAtMs) return this.#scheduleCheck();
    this.#isOver = true;
    this.#options.onOver(this);
  }

  // ── leases ──────────────────────────────────────────────────────────────────────────────────────

  #openAdapter(
    { replica_id: id, pool_id: poolId, engine, slots }: HostReplica,
    { token, secret }: HostLease,
    whenOver: (requestId: string) => Promise<void>,
  ): FencedAdapter {
    const { openAdapter, adapterOptionsOf, clock } = this.#options;
    const inner = openAdapter(engine)({
      ...adapterOptionsOf(poolId),
      url: `${this.#gatewayUrl}/replicas/${id}`,
      maxStreams: STREAMS_PER_SLOT * slots + SPARE_STREAMS,
      headers: () => {
        const requestId = currentRequestId();
        return {
          'x-llama-orch-lease': `${token}.${secret}`,
          ...(requestId === undefined ? {} : { 'x-llama-orch-request': requestId }),
        };
      },
    });
    return new FencedAdapter({ inner, clock, whenOver, isOverdue: () => this.#isOverdue });
  }

  /** Adapters learn from `props` what they must know; and a gateway that cannot be reached is no use. */
  async #ask(replica: RemoteReplica, held: HeldLease): Promise<void> {
    if (held.isOver) return;
    try {
      await held.adapter.props();
      held.hasAnswered = true;
      held.complaint = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      held.complaint = `its engine does not answer through ${this.#gatewayUrl}: ${reason}`;
      this.#options.clock.setTimer(ASK_AGAIN_MS, () => void this.#ask(replica, held));
    }
    if (!held.isOver) this.#tellOf(replica);
  }

  /** The lease is over, and with it all that ran under it. */
  #lose(replica: RemoteReplica, crashed = false): void {
    const { held } = replica;
    if (held === undefined) return;
    replica.held = undefined;
    replica.spentToken = held.lease.token;
    held.isOver = true;
    for (const resolve of this.#waiters.get(held) ?? []) resolve();
    this.#waiters.delete(held);
    void held.adapter[Symbol.asyncDispose]();
    replica.told = snapshotOf(this, replica, this.#options.clock.now());
    this.#options.emit({ type: 'replica-gone', replica: replica.told, crashed });
  }

  /** Resolves when nothing runs under a request id any more: the host has said so, or the lease is over. */
  #whenOver(held: HeldLease, requestId: string): Promise<void> {
    if (held.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(held) ?? new Set();
      this.#waiters.set(held, waiters);
      const finish = (): void => {
        waiters.delete(finish);
        giveUp();
        resolve();
      };
      const giveUp = this.#commands.end(requestId, finish);
      waiters.add(finish);
      this.speak();
    });
  }

  #tellOf(replica: RemoteReplica): void {
    const before = replica.told;
    replica.told = snapshotOf(this, replica, this.#options.clock.now());
    if (differs(before, replica.told))
      this.#options.emit({ type: 'replica', replica: replica.told });
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
    return {
      orchestrator: this.#options.orchestrator,
      answer: this.#answers,
      event: this.#event,
      lease: this.#wanted(),
      drain: this.#drained(),
      commands: this.#commands.next(),
      next_sync_ms: holdMs(this.#ttlMs),
    };
  }

  /** Equal as long as there is nothing new to say. */
  #saying(): string {
    return JSON.stringify([this.#wanted(), this.#drained(), this.#commands.lastN]);
  }

  #wanted(): string[] {
    if (this.#isClosed) return [];
    return [...this.replicas.values()]
      .filter(({ reportedToken, spentToken }) => reportedToken === 0 || reportedToken > spentToken)
      .map(({ report }) => report.replica_id);
  }

  #drained(): string[] {
    return [...this.poolIds].filter((poolId) => this.#options.isDraining(poolId));
  }
}
