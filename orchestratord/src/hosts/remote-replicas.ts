/** The replicas that one host reports, and the leases that this process holds on them. */
import type { HostEvent, HostLease, HostReplica, HostSync } from '@llama-orch/contracts';
import type { PoolEvent } from '@llama-orch/pool-managerd';
import type { AdapterOptions, EngineName, OpenAdapter } from '@llama-orch/worker-adapters';
import type { Clock } from '../clock.ts';
import { FencedAdapter } from './fenced-adapter.ts';
import {
  differs,
  snapshotOf,
  type HeldLease,
  type HostFacts,
  type RemoteReplica,
} from './host-state.ts';
import { currentRequestId } from './request-scope.ts';

export type PoolAdapterOptions = Pick<
  AdapterOptions,
  'timeouts' | 'model' | 'chatTemplate' | 'textOutput'
>;

export interface RemoteReplicasOptions {
  readonly host: HostFacts;
  /** Of this process, to which leases are granted. */
  readonly instanceId: string;
  /** What the configuration says of a pool's engines when they serve that model. */
  readonly adapterOptionsOf: (poolId: string, modelId: string) => PoolAdapterOptions;
  readonly openAdapter: (engine: EngineName) => OpenAdapter;
  /** Has the host end a request and tell when it is over; the returned function gives up waiting. */
  readonly endRequest: (requestId: string, onDone: () => void) => () => void;
  readonly emit: (event: PoolEvent) => void;
  readonly clock: Clock;
}

/** Until a gateway that did not answer is asked again, ms. */
const ASK_AGAIN_MS = 200;
/** Twice: while aborted streams close, their slots may have been given to the next tasks. */
const STREAMS_PER_SLOT = 2;
const SPARE_STREAMS = 2;

export class RemoteReplicas {
  readonly #options: RemoteReplicasOptions;
  readonly #byId = new Map<string, RemoteReplica>();
  /** Who waits to hear that a request under a lease is over. */
  readonly #waiters = new Map<HeldLease, Set<() => void>>();

  constructor(options: RemoteReplicasOptions) {
    this.#options = options;
  }

  get(replicaId: string): RemoteReplica | undefined {
    return this.#byId.get(replicaId);
  }

  all(): Iterable<RemoteReplica> {
    return this.#byId.values();
  }

  /** Those to be leased: all, but for leases that are spent and not over yet. */
  wanted(): string[] {
    return [...this.#byId.values()]
      .filter(({ reportedToken, spentToken }) => reportedToken === 0 || reportedToken > spentToken)
      .map(({ report }) => report.replica_id);
  }

  /** The host has told of all that it has. */
  take({ replicas }: HostSync): void {
    const reported = new Set(replicas.map((each) => each.replica_id));
    for (const [id, replica] of [...this.#byId]) {
      if (reported.has(id)) continue;
      this.#stopped(replica);
      this.#byId.delete(id);
    }
    for (const report of replicas) this.#takeReport(report);
  }

  /**
   * @param surelyOverAtMs of every lease that is among them
   * @param knownEvent events up to this number were taken before
   */
  takeLeases({ leases, events }: HostSync, surelyOverAtMs: number, knownEvent: number): void {
    const { instanceId } = this.#options;
    const mine = new Map(
      leases
        .filter((each) => each.orchestrator_instance_id === instanceId)
        .map((each) => [each.replica_id, each]),
    );
    for (const [id, replica] of this.#byId) {
      const granted = mine.get(id);
      replica.reportedToken = granted?.token ?? 0;
      // Its end is the host's to tell, and it has: everything under it was cut off.
      if (replica.held?.lease.token !== granted?.token)
        this.#lose(replica, hasCrashed(id, events, knownEvent));
      if (granted !== undefined && granted.token > replica.spentToken)
        this.#hold(replica, granted, surelyOverAtMs);
      giveBackUnused(replica);
      this.#tellOf(replica);
    }
  }

  /** Nothing was heard of the host in time. */
  overdue(nowMs: number): void {
    for (const replica of this.#byId.values()) {
      if (replica.held !== undefined && replica.held.surelyOverAtMs <= nowMs) this.#lose(replica);
      replica.held?.adapter.keepAlive();
      this.#tellOf(replica);
    }
  }

  /** Nothing runs there, and nothing will. */
  end(): void {
    for (const replica of this.#byId.values()) this.#stopped(replica);
    this.#byId.clear();
  }

  #stopped(replica: RemoteReplica): void {
    this.#lose(replica);
    replica.report = { ...replica.report, state: 'stopped' };
    this.#tellOf(replica);
  }

  #takeReport(report: HostReplica): void {
    const known = this.#byId.get(report.replica_id);
    if (known !== undefined) {
      known.report = report;
      return;
    }
    this.#byId.set(report.replica_id, {
      report,
      held: undefined,
      reportedToken: 0,
      spentToken: 0,
      told: undefined,
    });
  }

  #hold(replica: RemoteReplica, granted: HostLease, surelyOverAtMs: number): void {
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
      isTaken: false,
      hasAnswered: false,
      complaint: undefined,
    };
    replica.held = held;
    void this.#ask(replica, held);
  }

  #openAdapter(
    { replica_id: id, pool_id: poolId, model_id: modelId, engine, slots }: HostReplica,
    { token, secret }: HostLease,
    whenOver: (requestId: string) => Promise<void>,
  ): FencedAdapter {
    const { openAdapter, adapterOptionsOf, host, clock } = this.#options;
    const inner = openAdapter(engine)({
      ...adapterOptionsOf(poolId, modelId),
      url: `${host.gatewayUrl}/replicas/${id}`,
      maxStreams: STREAMS_PER_SLOT * slots + SPARE_STREAMS,
      headers: () => {
        const requestId = currentRequestId();
        return {
          'x-llama-orch-lease': `${token}.${secret}`,
          ...(requestId === undefined ? {} : { 'x-llama-orch-request': requestId }),
        };
      },
    });
    return new FencedAdapter({ inner, clock, whenOver, isOverdue: () => host.isOverdue });
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
      held.complaint = `its engine does not answer through ${this.#options.host.gatewayUrl}: ${reason}`;
      this.#options.clock.setTimer(ASK_AGAIN_MS, () => void this.#ask(replica, held));
    }
    if (!held.isOver) this.#tellOf(replica);
  }

  /** The lease is over, and with it all that ran under it. */
  #lose(replica: RemoteReplica, crashed = false): void {
    const { held } = replica;
    if (held === undefined) return;
    const { host, clock, emit } = this.#options;
    replica.held = undefined;
    replica.spentToken = held.lease.token;
    held.isOver = true;
    for (const resolve of this.#waiters.get(held) ?? []) resolve();
    this.#waiters.delete(held);
    void held.adapter[Symbol.asyncDispose]();
    replica.told = snapshotOf(host, replica, clock.now());
    emit({ type: 'replica-gone', replica: replica.told, crashed });
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
      waiters.add(finish);
      const giveUp = this.#options.endRequest(requestId, finish);
    });
  }

  #tellOf(replica: RemoteReplica): void {
    const { host, clock, emit } = this.#options;
    const before = replica.told;
    replica.told = snapshotOf(host, replica, clock.now());
    if (differs(before, replica.told)) emit({ type: 'replica', replica: replica.told });
  }
}

/** Its host waits for the end of a lease that nobody will take any more, and so would not give back. */
function giveBackUnused(replica: RemoteReplica): void {
  const { report, held } = replica;
  if (report.state === 'draining' && held?.isTaken === false) replica.spentToken = held.lease.token;
}

/** What was told before says nothing of the lease that ends now. */
function hasCrashed(id: string, events: readonly HostEvent[], knownEvent: number): boolean {
  return events.some(
    ({ n, replica_id: replicaId, crashed }) =>
      n > knownEvent && replicaId === id && crashed === true,
  );
}
