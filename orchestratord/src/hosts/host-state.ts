/** What follows from what is known of a host's replica; what happens is in `remote-host.ts`. */
import type { HostReplica } from '@llama-orch/contracts';
import type {
  ChatRendering,
  Lease,
  ReplicaSnapshot,
  ReplicaState,
} from '@llama-orch/pool-managerd';
import type { FencedAdapter } from './fenced-adapter.ts';

/** A lease that this process holds, and what was opened under it. */
export interface HeldLease {
  readonly lease: Omit<Lease, 'holder' | 'expiresAtMs'>;
  readonly adapter: FencedAdapter;
  /** Until then the host may let work under it go on, whatever becomes of the way to it. */
  surelyOverAtMs: number;
  isOver: boolean;
  /** Somebody dispatches under it, or did. */
  isTaken: boolean;
  /** Its engine has answered through the gateway. */
  hasAnswered: boolean;
  /** Why it has not. */
  complaint: string | undefined;
}

export interface RemoteReplica {
  report: HostReplica;
  held: HeldLease | undefined;
  /** Token of the lease that the host reported last; 0 without one. */
  reportedToken: number;
  /** Leases up to this token were lost or given back, and are not taken again. */
  spentToken: number;
  /** As it was told last; undefined before that. */
  told: ReplicaSnapshot | undefined;
}

/** What a replica's state depends on beside itself. */
export interface HostFacts {
  readonly hostId: string;
  readonly gatewayUrl: string;
  /** It has not been heard of in time. */
  readonly isOverdue: boolean;
}

/** How long a sync is held at most, ms: several fit into a lease, so that losing one costs nothing. */
export function holdMs(ttlMs: number): number {
  return Math.max(10, Math.min(1_000, Math.round(ttlMs / 4)));
}

/** Without a sync for this long a host is overdue, ms. */
export function overdueAfterMs(ttlMs: number): number {
  return ttlMs / 2;
}

/**
 * Nothing runs under a lease this long after the arrival of the last sync that reported it, ms: its time
 * began no later. The margin is for clocks that drift apart and timers that fire late.
 */
export function surelyOverAfterMs(ttlMs: number): number {
  return ttlMs + ttlMs / 20 + 50;
}

/** Ready takes a lease, a host that is heard of, and an engine that answers through its gateway. */
export function stateOf({ isOverdue }: HostFacts, { report, held }: RemoteReplica): ReplicaState {
  const { state } = report;
  if (state === 'failed' || state === 'stopped') return state;
  if (isOverdue) return 'unready';
  return state !== 'ready' || held?.hasAnswered === true ? state : 'unready';
}

export function snapshotOf(
  host: HostFacts,
  replica: RemoteReplica,
  nowMs: number,
): ReplicaSnapshot {
  const { report, held, told } = replica;
  const state = stateOf(host, replica);
  const overdue = host.isOverdue ? `nothing was heard of host ${host.hostId} in time` : undefined;
  return {
    replicaId: report.replica_id,
    poolId: report.pool_id,
    setId: report.replica_set_id ?? '',
    engine: report.engine,
    engineVersion: report.engine_version,
    modelId: report.model_id,
    modelDigest: report.model_digest,
    quant: report.quant,
    kvBytesPerToken: report.kv_bytes_per_token,
    device: report.device,
    url: host.gatewayUrl,
    slots: report.slots,
    ctx: report.ctx,
    kvTokens: report.kv_tokens,
    chunkTokens: report.chunk_tokens,
    exactPrefixReuse: report.exact_prefix_reuse,
    state,
    restarts: report.restarts,
    pid: report.pid,
    lastError: overdue ?? held?.complaint ?? report.last_error,
    // Told as a duration, since clocks differ, and kept, so that it does not waver.
    readySinceMs:
      state === 'ready' ? (told?.readySinceMs ?? nowMs - (report.ready_for_ms ?? 0)) : undefined,
    canaryPercent: report.canary_percent,
    labels: report.labels,
  };
}

export function chatOf({ chat }: HostReplica): ChatRendering | undefined {
  const { kind, prefix = '', suffix = '' } = chat;
  if (kind === 'none') return undefined;
  return kind === 'envelope' ? { prefix, suffix } : kind;
}

/** Whether a change is worth telling; that a replica was heard of again is not. */
export function differs(one: ReplicaSnapshot | undefined, other: ReplicaSnapshot): boolean {
  return (
    one?.state !== other.state ||
    one.lastError !== other.lastError ||
    one.setId !== other.setId ||
    one.slots !== other.slots ||
    one.ctx !== other.ctx ||
    one.device !== other.device ||
    one.canaryPercent !== other.canaryPercent ||
    JSON.stringify(one.labels) !== JSON.stringify(other.labels)
  );
}
