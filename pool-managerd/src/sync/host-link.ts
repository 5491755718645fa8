/**
 * The host's end of the pool API: tells orchestratord what there is, does what it says, and never stops
 * trying. A sync is always on its way; a second one goes beside it when there is news.
 */
import {
  API_VERSION,
  type HostCommand,
  type HostInstance,
  type HostSync,
  type HostSyncAnswer,
} from '@llama-orch/contracts';
import type { Clock, Logger, Random } from '../ports.ts';
import { backoffDelayMs } from '../restart-policy.ts';
import type { PoolEvent, PoolManager, ReplicaSnapshot, ReplicaSuspicion } from '../types.ts';
import { EventBacklog } from './event-backlog.ts';
import type { HostLeases } from './host-leases.ts';
import type { HostModels } from './host-models.ts';
import { localId, toHostReplica, wireId } from './host-report.ts';
import { SyncRefused, type SyncTransport } from './transport.ts';

export interface HostLinkOptions {
  readonly hostId: string;
  readonly instance: HostInstance;
  readonly gatewayUrl: string;
  readonly leaseTtlMs: number;
  readonly poolIds: readonly string[];
  readonly labelsOf: (replica: ReplicaSnapshot) => Readonly<Record<string, string>>;
  readonly manager: PoolManager;
  readonly leases: HostLeases;
  readonly models: HostModels;
  /** Cuts off what runs under a request id. */
  readonly endRequest: (requestId: string) => void;
  readonly transport: SyncTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Heard {
  readonly instanceId: string;
  readonly answer: number;
  readonly command: number;
}

const MAX_IN_FLIGHT = 2;
/** Until the first answer says how long a sync may be held. */
const FIRST_HOLD_MS = 1_000;
/** An answer that was not held comes within this time, or the way is broken, ms. */
const ANSWER_MS = 1_000;
const RETRY = { baseMs: 50, maxMs: 1_000 };
/** Between two syncs without news, ms: an orchestratord that holds none must not make a host spin. */
const LEAST_GAP_MS = 20;
const LEAVE_MS = 1_000;

export class HostLink {
  readonly #options: HostLinkOptions;
  readonly #backlog: EventBacklog;
  readonly #stopping = new AbortController();
  readonly #unsubscribe: () => void;
  #seq = 0;
  /** The newest sync whose answer was used; answers to earlier ones say nothing any more. */
  #answeredSeq = 0;
  #inFlight = 0;
  #hasNews = false;
  #newsScheduled = false;
  #heard: Heard | undefined;
  #holdMs = FIRST_HOLD_MS;
  #failures = 0;
  /** The next sync waits: for news, or after a failure not even for that. */
  #wait: { readonly isRetry: boolean; readonly cancel: () => void } | undefined;
  #leaving = false;
  /** Of the events given up for want of room those that were logged. */
  #droppedTold = 0;
  /** What was last logged as wrong, so that it is not logged at every try. */
  #complaint = '';

  constructor(options: HostLinkOptions) {
    this.#options = options;
    this.#backlog = new EventBacklog(options.hostId);
    this.#unsubscribe = options.manager.subscribe((event) => this.#onEvent(event));
  }

  start(): void {
    this.#send();
  }

  /** Takes no new work from here on, whatever orchestratord says; what runs goes on. */
  drain(): void {
    this.#leaving = true;
    for (const poolId of this.#options.poolIds) this.#options.manager.drain(poolId);
  }

  /** Ends the syncs and takes leave; what is held by then must have been cut off. Never throws. */
  async stop(): Promise<void> {
    const { transport, instance, clock } = this.#options;
    this.#stopping.abort(new Error('the host stops'));
    this.#unsubscribe();
    this.#wait?.cancel();
    const leaving = new AbortController();
    const cancel = clock.setTimer(LEAVE_MS, () => leaving.abort());
    // Who cannot be reached will find out by itself.
    await transport.leave(instance.id, leaving.signal).catch(() => undefined);
    cancel();
    await transport.close();
  }

  #onEvent(event: PoolEvent): void {
    this.#backlog.note(event);
    if (event.type === 'lease' && event.event === 'renewed') return;
    this.#hasNews = true;
    if (this.#newsScheduled) return;
    this.#newsScheduled = true;
    // One thing seldom comes alone: the end of a replica is told with the end of its lease.
    queueMicrotask(() => {
      this.#newsScheduled = false;
      this.#sendNews();
    });
  }

  #sendNews(): void {
    // After a failure the next try carries it.
    const mayGo = this.#inFlight < MAX_IN_FLIGHT && this.#wait?.isRetry !== true;
    if (this.#hasNews && mayGo && this.#seq > 0) this.#send();
  }

  #send(): void {
    if (this.#stopping.signal.aborted) return;
    const { clock, transport } = this.#options;
    this.#wait?.cancel();
    this.#wait = undefined;
    this.#seq += 1;
    this.#inFlight += 1;
    this.#hasNews = false;
    const seq = this.#seq;
    const sentMs = clock.now();
    const timeout = new AbortController();
    const timeoutMs = this.#holdMs + ANSWER_MS;
    const cancelTimeout = clock.setTimer(timeoutMs, () =>
      timeout.abort(new Error(`no answer within ${timeoutMs} ms`)),
    );
    const signal = AbortSignal.any([timeout.signal, this.#stopping.signal]);
    void transport
      .sync(this.#body(seq), signal)
      .then(
        (answer) => this.#onAnswer(answer, seq, sentMs),
        (error: unknown) => this.#onFailure(error),
      )
      .finally(cancelTimeout);
  }

  #onAnswer(answer: HostSyncAnswer, seq: number, sentMs: number): void {
    this.#inFlight -= 1;
    if (this.#stopping.signal.aborted) return;
    this.#failures = 0;
    if (this.#complaint !== '') {
      this.#complaint = '';
      this.#options.logger.info({}, 'orchestratord answers again');
    }
    if (seq > this.#answeredSeq) {
      this.#answeredSeq = seq;
      this.#apply(answer, sentMs);
    }
    this.#sendNews();
    if (this.#inFlight > 0 || this.#wait !== undefined) return;
    const gapMs = LEAST_GAP_MS - (this.#options.clock.now() - sentMs);
    if (gapMs > 0) this.#sendLater(gapMs, false);
    else this.#send();
  }

  #onFailure(error: unknown): void {
    this.#inFlight -= 1;
    if (this.#stopping.signal.aborted) return;
    this.#complain(error);
    if (this.#inFlight > 0 || this.#wait !== undefined) return;
    const delayMs = backoffDelayMs(this.#failures, RETRY, this.#options.random.next());
    this.#failures += 1;
    this.#sendLater(delayMs, true);
  }

  #sendLater(ms: number, isRetry: boolean): void {
    const cancel = this.#options.clock.setTimer(ms, () => this.#send());
    this.#wait = { isRetry, cancel };
  }

  #complain(error: unknown): void {
    const { logger, hostId } = this.#options;
    const isRefusal = error instanceof SyncRefused;
    const reason = error instanceof Error ? error.message : String(error);
    const complaint = isRefusal ? reason : 'unreachable';
    if (this.#complaint === complaint) return;
    this.#complaint = complaint;
    const fields = { host_id: hostId, reason, ...(isRefusal ? { code: error.code } : {}) };
    if (isRefusal) logger.error(fields, 'orchestratord refuses this host; it goes on trying');
    else logger.warn(fields, 'orchestratord does not answer; it is tried again and again');
  }

  /** Nobody else is told of them. */
  #tellDropped(): void {
    const { logger, hostId } = this.#options;
    const dropped = this.#backlog.dropped - this.#droppedTold;
    if (dropped === 0) return;
    this.#droppedTold += dropped;
    logger.warn(
      { host_id: hostId, dropped },
      'events were given up before orchestratord took them',
    );
  }

  #apply(answer: HostSyncAnswer, sentMs: number): void {
    const { leases, models, hostId, logger } = this.#options;
    const { instance_id: instanceId } = answer.orchestrator;
    let heard = this.#heard;
    if (heard?.instanceId !== instanceId) {
      logger.info({ host_id: hostId, orchestrator: answer.orchestrator.id }, 'registered');
      heard = { instanceId, answer: 0, command: 0 };
    }
    this.#backlog.acknowledge(answer.event);
    this.#tellDropped();
    this.#holdMs = answer.next_sync_ms;
    this.#drain(new Set(answer.drain));
    models.want(answer.models ?? [], instanceId);
    let { command } = heard;
    for (const each of answer.commands) {
      if (each.n <= command) continue;
      this.#carryOut(each);
      command = each.n;
      // Somebody waits to hear that it was done.
      this.#hasNews = true;
    }
    this.#heard = { instanceId, answer: answer.answer, command };
    leases.want({
      replicaIds: new Set(answer.lease.flatMap((id) => localId(hostId, id) ?? [])),
      orchestrator: answer.orchestrator,
      sentMs,
    });
  }

  #drain(wanted: ReadonlySet<string>): void {
    const { manager, poolIds } = this.#options;
    if (this.#leaving) return;
    for (const poolId of poolIds) {
      const { draining } = manager.health(poolId);
      if (wanted.has(poolId) && !draining) manager.drain(poolId);
      if (!wanted.has(poolId) && draining) manager.undrain(poolId);
    }
  }

  #carryOut(command: HostCommand): void {
    const { manager, hostId, poolIds, endRequest, logger } = this.#options;
    const { type, replica_id: id = '', pool_id: poolId = '' } = command;
    switch (type) {
      case 'suspect': {
        const replica = this.#replicas().find((each) => wireId(hostId, each.replicaId) === id);
        const suspicion: ReplicaSuspicion = command.suspicion ?? 'connection';
        if (replica !== undefined)
          manager.suspect(replica.replicaId, suspicion, command.detail ?? '');
        return;
      }
      case 'revive':
        if (poolIds.includes(poolId)) manager.undrain(poolId);
        return;
      case 'load':
        if (poolIds.includes(poolId)) manager.load(poolId);
        return;
      case 'unload':
        // The reports tell when the last replica is gone.
        if (poolIds.includes(poolId)) void manager.unload(poolId, command.deadline_ms ?? 0);
        return;
      case 'end':
        if (command.request_id !== undefined) endRequest(command.request_id);
        return;
      default:
        // A newer orchestratord of the same major version; what is not known is not done.
        logger.warn({ command: type satisfies never }, 'a command is not known');
    }
  }

  #body(seq: number): HostSync {
    const { hostId, instance, gatewayUrl, leaseTtlMs, leases, models, labelsOf, clock } =
      this.#options;
    const nowMs = clock.now();
    const heard = this.#heard;
    return {
      api_version: API_VERSION,
      instance,
      seq,
      ...(heard === undefined
        ? {}
        : {
            heard: {
              instance_id: heard.instanceId,
              answer: heard.answer,
              command: heard.command,
            },
          }),
      gateway_url: gatewayUrl,
      lease_ttl_ms: leaseTtlMs,
      replicas: this.#replicas().map((replica) =>
        toHostReplica(replica, {
          hostId,
          nowMs,
          labels: labelsOf(replica),
          chat: leases.chatOf(replica.replicaId),
        }),
      ),
      leases: leases.report((replicaId) => wireId(hostId, replicaId)),
      events: this.#backlog.events,
      pools: models.report(),
    };
  }

  #replicas(): readonly ReplicaSnapshot[] {
    const { manager, poolIds } = this.#options;
    return poolIds.flatMap((poolId) => manager.replicas(poolId));
  }
}
