/**
 * The port between orchestratord and whoever looks after replicas: a manager in the same process, or
 * hosts with a pool-managerd of their own.
 */
import type { EngineName, WorkerAdapter } from '@llama-orch/worker-adapters';

/**
 * starting → loading → self-test → ready ⇄ unready → backoff → starting …; draining and stopped are
 * entered on command; failed is final until an operator acts (restart budget spent).
 */
export type ReplicaState =
  | 'starting'
  | 'loading'
  | 'self-test'
  | 'ready'
  | 'unready'
  | 'backoff'
  | 'draining'
  | 'stopped'
  | 'failed';

export interface ReplicaSnapshot {
  readonly replicaId: string;
  readonly poolId: string;
  /** Hash of the pinned tuple: engine, version, model digest, ctx, sampler profile (ORCH-3007). */
  readonly setId: string;
  readonly engine: EngineName;
  readonly engineVersion: string;
  readonly modelId: string;
  /** `sha256:…` of the model file, or '' for an external endpoint whose file we cannot read. */
  readonly modelDigest: string;
  readonly quant: string;
  /** KV of one token, bytes, by the model file's header; 0 when unknown. */
  readonly kvBytesPerToken: number;
  readonly device: string;
  readonly url: string;
  readonly slots: number;
  readonly ctx: number;
  /** Tokens of KV that its slots share, and prompt tokens of one step, where the engine tells. */
  readonly kvTokens?: number | undefined;
  readonly chunkTokens?: number | undefined;
  /** A cached prefix does not change the output, so strict tasks profit from it. */
  readonly exactPrefixReuse: boolean;
  readonly state: ReplicaState;
  readonly restarts: number;
  readonly pid: number | undefined;
  readonly lastError: string | undefined;
  readonly readySinceMs: number | undefined;
  /** Its place among the replicas of its pool, from 0; a replacement takes the place of the one before. */
  readonly ordinal?: number | undefined;
  /** Of a canary: the percentage of tasks that it is for. */
  readonly canaryPercent?: number | undefined;
  /** The GPUs it computes on, where their driver tells; a few seconds old. */
  readonly gpus?: readonly GpuLoad[] | undefined;
  /** Of a replica on another host; those of this process are in the configuration, by ordinal. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface GpuLoad {
  /** As in the pool's mask, such as `cuda:0`. */
  readonly device: string;
  /** By all processes, bytes. */
  readonly usedBytes: number;
  /** Percent. */
  readonly utilization: number | undefined;
}

export interface Lease {
  readonly replicaId: string;
  readonly holder: string;
  /** Grows with every grant of this replica; work under an older token is fenced off. */
  readonly token: number;
  readonly expiresAtMs: number;
}

export type LeaseEventName = 'granted' | 'renewed' | 'expired' | 'fenced' | 'released';

export type PoolEvent =
  | { readonly type: 'replica'; readonly replica: ReplicaSnapshot }
  /** `crashed`: its engine ended by itself, and what ran on it may be why. */
  | {
      readonly type: 'replica-gone';
      readonly replica: ReplicaSnapshot;
      readonly crashed: boolean;
    }
  | {
      readonly type: 'restart';
      readonly replica: ReplicaSnapshot;
      readonly reason: string;
      readonly delayMs: number;
    }
  | {
      readonly type: 'preload';
      readonly replica: ReplicaSnapshot;
      readonly outcome: 'ok' | 'failed';
      readonly ms: number;
    }
  | {
      readonly type: 'lease';
      readonly poolId: string;
      readonly replicaId: string;
      readonly event: LeaseEventName;
    };

export interface PoolHealth {
  readonly poolId: string;
  /** Some replica process or endpoint answers. */
  readonly live: boolean;
  /** At least one replica is ready. */
  readonly ready: boolean;
  readonly draining: boolean;
  /** False when no replica is ready and none can come back by itself. */
  readonly recoverable: boolean;
  readonly lastError: string | undefined;
  readonly replicas: readonly ReplicaSnapshot[];
  /** False for a pool that was unloaded, or has not been loaded yet. */
  readonly loaded?: boolean | undefined;
  /** What its replicas are started with, canaries apart; undefined where hosts start them. */
  readonly modelId?: string | undefined;
  /** What is being changed now. */
  readonly change?: PoolChange | undefined;
  /** Why the last change was taken back; undefined when it was not, and while another is under way. */
  readonly changeError?: string | undefined;
}

/** A change of the pool's model that is under way; a canary is until it is promoted or rolled back. */
export interface PoolChange {
  readonly kind: 'reload' | 'canary' | 'promotion' | 'rollback';
  /** The model that is brought in, or taken out. */
  readonly modelId: string;
  /** Of a canary. */
  readonly percent: number | undefined;
}

/** A model to start replicas with. */
export interface ModelTarget {
  readonly modelId: string;
  /** Absolute; undefined for a model whose file only hosts know, or only its engine. */
  readonly modelPath: string | undefined;
  /** `sha256:…` that the file must have. */
  readonly modelDigest: string | undefined;
}

export interface CanaryShare {
  /** Of the tasks, 0 … 100. */
  readonly percent: number;
  readonly replicas: number;
}

/** How a dispatch ended badly, as the dispatcher saw it; the manager probes or replaces the replica. */
export type ReplicaSuspicion = 'connection' | 'garbage' | 'hung' | 'self-test';

/**
 * Wraps a bare prompt the way the model's chat template would, without a round trip: learned once
 * per replica by rendering a probe, and used only when the template copies content verbatim.
 */
export interface PromptEnvelope {
  readonly prefix: string;
  readonly suffix: string;
}

/**
 * How chat becomes text: by an envelope that does for bare prompts, by asking the adapter for every
 * request, or only inside the engine, which is sent the messages.
 */
export type ChatRendering = PromptEnvelope | 'render' | 'engine';

export interface ReplicaHandle {
  readonly snapshot: ReplicaSnapshot;
  readonly adapter: WorkerAdapter;
  /** Undefined when the model has no chat template. */
  readonly envelope: ChatRendering | undefined;
}

export interface PoolManager extends AsyncDisposable {
  /** Starts every configured replica; returns at once, progress arrives as events. */
  start(): void;
  /** Listeners are called synchronously, in order; returns the unsubscribe function. */
  subscribe(listener: (event: PoolEvent) => void): () => void;
  replicas(poolId: string): readonly ReplicaSnapshot[];
  /** The handle for dispatching under a valid lease. @throws OrchError POOL_UNREADY when the lease was fenced or the replica is not ready */
  use(lease: Lease): ReplicaHandle;
  /** @param fromMs when its time begins, on the manager's clock; now when left out */
  acquire(replicaId: string, holder: string, fromMs?: number): Lease | undefined;
  /** Lets the lease last for its TTL after `fromMs` (now when left out); undefined when it was lost. */
  renew(lease: Lease, fromMs?: number): Lease | undefined;
  release(lease: Lease): void;
  /** Tells the manager that a dispatch went wrong in a way that accuses the replica. */
  suspect(replicaId: string, suspicion: ReplicaSuspicion, detail: string): void;
  health(poolId: string): PoolHealth;
  /** Marks replicas as draining: they finish what runs and take nothing new. `undrain` reverts. */
  drain(poolId: string): void;
  undrain(poolId: string): void;
  /**
   * Serves another model instead, replica by replica. Returns at once; `health` tells of the progress,
   * and of the error when the old model serves on.
   * @throws OrchError NOT_FOUND, and CONFLICT when the pool cannot change its model or is changing it
   */
  reload(poolId: string, model: ModelTarget): void;
  /**
   * Starts replicas of another model beside those there are, for a share of the tasks.
   * @throws OrchError NOT_FOUND, CONFLICT as `reload`
   */
  canary(poolId: string, model: ModelTarget, share: CanaryShare): void;
  /** Makes the canary's model the pool's. @throws OrchError NOT_FOUND, and CONFLICT without a canary */
  promote(poolId: string): void;
  /** Ends a canary, or a reload that is under way. @throws OrchError NOT_FOUND, and CONFLICT without either */
  rollback(poolId: string): void;
  /** Starts the replicas of a pool that is not loaded; returns at once. @throws OrchError NOT_FOUND */
  load(poolId: string): void;
  /**
   * Stops the replicas: they take nothing new, and finish what runs for at most `deadlineMs`. Resolves
   * when the last process is gone. @throws OrchError NOT_FOUND
   */
  unload(poolId: string, deadlineMs: number): Promise<void>;
  /** Stops every process it started and waits for it, at most `graceMs`, then kills. */
  stop(graceMs: number): Promise<void>;
}
