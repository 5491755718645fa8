/**
 * The KV in the slots of engines: erased when its session ends, saved to slot files before a pool that
 * shares its devices is unloaded, and restored when a replica of the same set is there again in its place.
 *
 * A slot has one file, named after its replica and set, which the next save overwrites: so many files as
 * there are slots, however many sessions come. Who finds what in them is known to this process only.
 */
import { createHmac } from 'node:crypto';
import type { PromptPrefix, SessionCache, SessionView } from '@llama-orch/orchestrator-core';
import type { Lease, PoolManager, ReplicaHandle } from '@llama-orch/pool-managerd';
import { EngineError, type EngineResult } from '@llama-orch/worker-adapters';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logging.ts';
import { isStrict, type LiveTask } from './live-task.ts';
import { SessionSlots, type SlotKv } from './session-slots.ts';

export interface KvKeeperOptions {
  readonly pools: Pick<PoolManager, 'replicas' | 'use'>;
  /** The lease held on a replica, if it is held. */
  readonly leaseOf: (replicaId: string) => Lease | undefined;
  readonly sessionOf: (sessionId: string) => SessionView | undefined;
  /** Of the installation: others that use the same folder have other file names. */
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a replica has again, the least recently used first. */
export interface RestoredCache {
  readonly sessions: readonly SessionCache[];
  readonly prefixes: readonly PromptPrefix[];
}

interface SavedSlot {
  readonly slotId: number;
  readonly file: string;
  readonly kv: SlotKv;
  /** Of its session. */
  readonly kvTokens: number;
}

interface SavedReplica {
  readonly poolId: string;
  /** Stands for the model's digest, the engine's version and the context. */
  readonly setId: string;
  /** The most recently used first. */
  readonly slots: Set<SavedSlot>;
}

/** The slots of a replica are saved, or restored, within this time; those that are not are lost, ms. */
const BUDGET_MS = 5_000;

export class KvKeeper {
  readonly #options: KvKeeperOptions;
  readonly #slots = new SessionSlots();
  readonly #saved = new Map<string, SavedReplica>();
  /** Pools whose engines cannot save slots. */
  readonly #unable = new Set<string>();

  constructor(options: KvKeeperOptions) {
    this.#options = options;
  }

  /** A task has ended on a slot. @param prefix what the slot holds now, where a next turn may follow */
  note(task: LiveTask, replicaId: string, result: EngineResult, prefix?: PromptPrefix): void {
    if (result.slotId === undefined) return;
    const { request } = task.record;
    const isReusable = !isStrict(task.record) || task.replica?.exactPrefixReuse === true;
    const kv = { sessionId: request.session_id, prefix, isReusable };
    this.#slots.note(replicaId, result.slotId, kv);
  }

  /** The replica's process is gone. */
  replicaGone(replicaId: string): void {
    this.#slots.forget(replicaId);
  }

  /** Nobody will ask for what was saved of it. */
  sessionEnded(sessionId: string): void {
    for (const { slots } of this.#saved.values()) {
      for (const slot of slots) if (slot.kv.sessionId === sessionId) slots.delete(slot);
    }
  }

  /** Drops the KV of a session that was warm on the replica. */
  async erase(sessionId: string, replicaId: string): Promise<void> {
    const { leaseOf, pools, log } = this.#options;
    const lease = leaseOf(replicaId);
    if (lease === undefined) return;
    try {
      const { adapter } = pools.use(lease);
      for (const slot of this.#slots.take(replicaId, sessionId)) await adapter.slots?.erase(slot);
    } catch (error) {
      log.warn({ session_id: sessionId, replica_id: replicaId, err: error }, 'KV was not erased');
    }
  }

  /**
   * Saves what the pool's replicas, on which nothing runs, have of live sessions and conversations. Never
   * rejects; takes no longer than a few seconds.
   * @returns whether they could; undefined when there was nothing to save
   */
  async save(poolId: string): Promise<boolean | undefined> {
    for (const [replicaId, saved] of this.#saved) {
      if (saved.poolId === poolId) this.#saved.delete(replicaId);
    }
    if (this.#unable.has(poolId)) return false;
    const replicas = this.#replicasOf(poolId);
    const outcomes = await Promise.all(replicas.map((replica) => this.#saveSlots(replica)));
    return outcomes.includes(true) ? true : outcomes.find((outcome) => outcome !== undefined);
  }

  /**
   * Restores what was saved of a replica, before anything runs there. What it does not restore in a few
   * seconds is given up. The promise never rejects.
   * @returns undefined when there is nothing to do
   */
  restore(lease: Lease): Promise<RestoredCache> | undefined {
    const saved = this.#saved.get(lease.replicaId);
    const replica = saved && this.#use(lease);
    if (saved === undefined || replica === undefined) return undefined;
    if (saved.setId === replica.snapshot.setId) return this.#restoreSlots(replica, saved);
    this.#saved.delete(lease.replicaId);
    return undefined;
  }

  async #saveSlots({ snapshot, adapter }: ReplicaHandle): Promise<boolean | undefined> {
    const { poolId, replicaId, setId } = snapshot;
    const slots = new Set<SavedSlot>();
    const wanted = this.#worthSaving(replicaId);
    if (wanted.length === 0) return undefined;
    await this.#inTime('saved', snapshot, async (signal) => {
      for (const [slotId, kv] of wanted) {
        const file = kv.file ?? this.#fileOf(setId, replicaId, slotId);
        // What was restored and not used since stands in its file still.
        const isSaved =
          kv.file !== undefined || (await adapter.slots?.save(slotId, file, signal)) === true;
        if (!isSaved) {
          this.#unable.add(poolId);
          break;
        }
        // It may have ended meanwhile.
        const kvTokens = this.#tokensOf(replicaId, kv);
        if (kvTokens !== undefined) slots.add({ slotId, file, kv, kvTokens });
      }
      return slots.size;
    });
    if (slots.size > 0) this.#saved.set(replicaId, { poolId, setId, slots });
    return slots.size > 0;
  }

  async #restoreSlots(replica: ReplicaHandle, saved: SavedReplica): Promise<RestoredCache> {
    const { snapshot, adapter } = replica;
    const { replicaId } = snapshot;
    const restored: SavedSlot[] = [];
    await this.#inTime('restored', snapshot, async (signal) => {
      for (const slot of saved.slots) {
        if (!this.#isMissed(saved.poolId, slot)) continue;
        const isRestored = await adapter.slots?.restore(slot.slotId, slot.file, signal);
        if (isRestored === true) restored.push(slot);
        // Its session may have ended meanwhile.
        if (!saved.slots.has(slot)) await adapter.slots?.erase(slot.slotId, signal);
      }
      return restored.length;
    });
    this.#saved.delete(replicaId);
    const oldestFirst = restored.filter((slot) => saved.slots.has(slot)).reverse();
    for (const { slotId, kv, file } of oldestFirst) {
      this.#slots.note(replicaId, slotId, { ...kv, file });
    }
    return {
      sessions: oldestFirst.flatMap(({ kv: { sessionId }, kvTokens }) =>
        sessionId === undefined ? [] : { sessionId, kvTokens },
      ),
      prefixes: oldestFirst.flatMap(({ kv }) => kv.prefix ?? []),
    };
  }

  /** Of several slots that a session has used, only the last holds what its next turn begins with. */
  #worthSaving(replicaId: string): readonly (readonly [number, SlotKv])[] {
    const seen = new Set<string>();
    return this.#slots.newestFirst(replicaId).filter(([, kv]) => {
      const { sessionId, prefix, isReusable } = kv;
      if (sessionId === undefined) return isReusable && prefix !== undefined;
      if (seen.has(sessionId)) return false;
      seen.add(sessionId);
      return isReusable && this.#tokensOf(replicaId, kv) !== undefined;
    });
  }

  /** KV of its session, 0 without one; undefined when the session is not at home there. */
  #tokensOf(replicaId: string, { sessionId }: SlotKv): number | undefined {
    if (sessionId === undefined) return 0;
    const session = this.#options.sessionOf(sessionId);
    return session?.replicaId === replicaId ? session.kvTokens : undefined;
  }

  /** Nobody has it now, and somebody may ask for it. */
  #isMissed(poolId: string, { kv: { sessionId } }: SavedSlot): boolean {
    if (sessionId === undefined) return true;
    const session = this.#options.sessionOf(sessionId);
    return session?.poolId === poolId && session.replicaId === undefined;
  }

  /** Tells of the slots that `run` counts; what it throws is logged, and takes the rest of them with it. */
  async #inTime(
    what: 'saved' | 'restored',
    { poolId, replicaId }: ReplicaHandle['snapshot'],
    run: (signal: AbortSignal) => Promise<number>,
  ): Promise<void> {
    const { clock, log } = this.#options;
    const fields = { pool_id: poolId, replica_id: replicaId };
    const abort = new AbortController();
    const cancel = clock.setTimer(BUDGET_MS, () => {
      abort.abort(new Error(`not done within ${BUDGET_MS} ms`));
    });
    const beganAtMs = clock.now();
    try {
      const slots = await run(abort.signal);
      log.info({ ...fields, slots, ms: clock.now() - beganAtMs }, `KV was ${what}`);
    } catch (error) {
      if (error instanceof EngineError && error.fault === 'permanent') this.#unable.add(poolId);
      log.warn({ ...fields, err: error }, `not all KV was ${what}`);
    } finally {
      cancel();
    }
  }

  #replicasOf(poolId: string): readonly ReplicaHandle[] {
    const { pools, leaseOf } = this.#options;
    return pools.replicas(poolId).flatMap(({ replicaId }) => {
      const lease = leaseOf(replicaId);
      return (lease && this.#use(lease)) ?? [];
    });
  }

  #use(lease: Lease): ReplicaHandle | undefined {
    try {
      return this.#options.pools.use(lease);
    } catch {
      // Fenced, or not ready any more: then nothing is left of its KV, or soon will be.
      return undefined;
    }
  }

  #fileOf(setId: string, replicaId: string, slotId: number): string {
    const name = JSON.stringify(['slot file', setId, replicaId, slotId]);
    const digest = createHmac('sha256', this.#options.secret).update(name).digest('hex');
    return `llama-orch-${digest.slice(0, 32)}.kv`;
  }
}
