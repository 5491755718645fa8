/**
 * What audits found of each replica, for as long as it lives: a replica that was started anew, or that serves
 * another version, has a clean sheet. Held in memory, O(1) per replica.
 */
import type { ReplicaDeterminism } from '@llama-orch/contracts';
import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';

/** A difference that was seen. */
export interface Drift {
  readonly taskId: string;
  readonly atMs: number;
}

/** One life of a replica. What is noted of one that is over shows nowhere. */
export class ReplicaLife {
  readonly replicaId: string;
  readonly setId: string;
  audits = 0;
  drifted = 0;
  lastDrift: Drift | undefined;
  /** Those that it differed from, where nobody knows which of the two is right. */
  readonly suspectedWith = new Set<ReplicaLife>();

  constructor(replicaId: string, setId: string) {
    this.replicaId = replicaId;
    this.setId = setId;
  }

  get isFlagged(): boolean {
    return this.drifted > 0 || this.suspectedWith.size > 0;
  }
}

type Identity = Pick<ReplicaSnapshot, 'replicaId' | 'setId'>;

export class Findings {
  readonly #lives = new Map<string, ReplicaLife>();

  /** The present life of a replica, to note on. */
  lifeOf({ replicaId, setId }: Identity): ReplicaLife {
    const known = this.#lives.get(replicaId);
    if (known?.setId === setId) return known;
    const life = new ReplicaLife(replicaId, setId);
    this.#lives.set(replicaId, life);
    return life;
  }

  /** The replica's process is gone. */
  forget(replicaId: string): void {
    this.#lives.delete(replicaId);
  }

  isFlagged(replica: Identity): boolean {
    return this.#find(replica)?.isFlagged ?? false;
  }

  /**
   * As the contract has it; undefined before the first audit.
   * @param toldTasks whether ids of tasks, which are a tenant's, may be told
   */
  viewOf(replica: Identity, toldTasks: boolean): ReplicaDeterminism | undefined {
    const life = this.#find(replica);
    if (life === undefined || life.audits === 0) return undefined;
    const { audits, drifted, suspectedWith, lastDrift } = life;
    return {
      audits,
      drifted,
      suspected: suspectedWith.size > 0,
      ...(lastDrift === undefined ? {} : { last_drift_at_ms: Math.round(lastDrift.atMs) }),
      ...(lastDrift === undefined || !toldTasks ? {} : { last_drift_task_id: lastDrift.taskId }),
    };
  }

  #find({ replicaId, setId }: Identity): ReplicaLife | undefined {
    const life = this.#lives.get(replicaId);
    return life?.setId === setId ? life : undefined;
  }
}

/** Two or more agreed against it: whoever was suspected with it is so no longer. */
export function noteDrift(life: ReplicaLife, drift: Drift): void {
  life.drifted += 1;
  life.lastDrift = drift;
  for (const other of life.suspectedWith) other.suspectedWith.delete(life);
  life.suspectedWith.clear();
}

/** They differ, and nobody decides between them. One that is known to drift is suspected of nothing new. */
export function noteSuspicion(lives: readonly ReplicaLife[], drift: Drift): void {
  if (lives.some(({ drifted }) => drifted > 0)) return;
  for (const life of lives) {
    life.lastDrift = drift;
    for (const other of lives) if (other !== life) life.suspectedWith.add(other);
  }
}
