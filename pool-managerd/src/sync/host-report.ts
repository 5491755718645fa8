/** Replicas of this host as orchestratord is told of them. */
import type { HostChat, HostReplica } from '@llama-orch/contracts';
import type { ChatRendering, ReplicaSnapshot } from '../types.ts';

/** HOST.REPLICA: what a replica of this host is called everywhere else. */
export function wireId(hostId: string, replicaId: string): string {
  return `${hostId}.${replicaId}`;
}

/** The replica's name on its host; undefined when it is not of this host. */
export function localId(hostId: string, id: string): string | undefined {
  return id.startsWith(`${hostId}.`) ? id.slice(hostId.length + 1) : undefined;
}

export interface ReportContext {
  readonly hostId: string;
  readonly nowMs: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined while it is not known, or when the model has no chat template. */
  readonly chat: ChatRendering | undefined;
}

/** As much of an error as is carried. */
const MAX_ERROR_CHARS = 4096;

export function toHostReplica(replica: ReplicaSnapshot, context: ReportContext): HostReplica {
  const { hostId, nowMs, labels, chat } = context;
  const { setId, pid, lastError, readySinceMs } = replica;
  return {
    replica_id: wireId(hostId, replica.replicaId),
    pool_id: replica.poolId,
    ...(setId === '' ? {} : { replica_set_id: setId }),
    engine: replica.engine,
    engine_version: replica.engineVersion,
    model_id: replica.modelId,
    model_digest: replica.modelDigest,
    quant: replica.quant,
    kv_bytes_per_token: replica.kvBytesPerToken,
    device: replica.device,
    slots: replica.slots,
    ctx: replica.ctx,
    ...(replica.kvTokens === undefined ? {} : { kv_tokens: replica.kvTokens }),
    ...(replica.chunkTokens === undefined ? {} : { chunk_tokens: replica.chunkTokens }),
    exact_prefix_reuse: replica.exactPrefixReuse,
    state: replica.state,
    restarts: replica.restarts,
    ...(pid === undefined ? {} : { pid }),
    ...(lastError === undefined ? {} : { last_error: lastError.slice(0, MAX_ERROR_CHARS) }),
    ...(readySinceMs === undefined
      ? {}
      : { ready_for_ms: Math.max(0, Math.round(nowMs - readySinceMs)) }),
    chat: toHostChat(chat),
    ...(replica.canaryPercent === undefined ? {} : { canary_percent: replica.canaryPercent }),
    labels,
  };
}

function toHostChat(chat: ChatRendering | undefined): HostChat {
  if (chat === undefined) return { kind: 'none' };
  if (chat === 'engine' || chat === 'render') return { kind: chat };
  return { kind: 'envelope', prefix: chat.prefix, suffix: chat.suffix };
}
