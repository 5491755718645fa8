/**
 * Which pools of hosts are to be loaded. Those that take turns on the devices of their host are when
 * somebody asks for them, all others always. It is forgotten with this process, as the engines of this
 * process end with it: a host that has anything else loaded when it is first heard of makes room first.
 */
import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import type { Clock } from '../clock.ts';
import type { RemoteHost } from './remote-host.ts';

export type TurnsHost = Pick<RemoteHost, 'pools' | 'tell'>;

export interface RemoteTurnsOptions {
  readonly takesTurns: (poolId: string) => boolean;
  readonly hosts: () => Iterable<TurnsHost>;
  readonly replicasOf: (poolId: string) => readonly ReplicaSnapshot[];
  readonly clock: Clock;
}

/** Engines that were told to stop get this long to be gone, ms. */
const UNLOAD_GRACE_MS = 10_000;

export class RemoteTurns {
  readonly #options: RemoteTurnsOptions;
  /** Of the pools that take turns, those that are to be loaded. */
  readonly #loaded = new Set<string>();
  readonly #greeted = new WeakSet<TurnsHost>();
  /** Hosts that unload what nobody has asked for. */
  readonly #clearing = new WeakSet<TurnsHost>();
  /** Who waits for the last replica of a pool to be gone. */
  readonly #leaving = new Set<() => void>();

  constructor(options: RemoteTurnsOptions) {
    this.#options = options;
  }

  isLoaded(poolId: string): boolean {
    return !this.#options.takesTurns(poolId) || this.#loaded.has(poolId);
  }

  load(poolId: string): void {
    this.#loaded.add(poolId);
    for (const host of this.#options.hosts()) {
      if (!this.#clearing.has(host)) host.tell({ type: 'load', pool_id: poolId });
    }
  }

  /** Resolves when no host reports a replica of the pool any more, or a while after the deadline. */
  async unload(poolId: string, deadlineMs: number): Promise<void> {
    const { hosts, replicasOf, clock } = this.#options;
    this.#loaded.delete(poolId);
    for (const host of hosts()) {
      host.tell({ type: 'unload', pool_id: poolId, deadline_ms: Math.ceil(deadlineMs) });
    }
    if (replicasOf(poolId).length === 0) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        cancel();
        this.#leaving.delete(check);
        resolve();
      };
      // One that has stopped is told of for a while: its memory is free when it is told of no more.
      const check = (): void => {
        if (replicasOf(poolId).length === 0) finish();
      };
      const cancel = clock.setTimer(deadlineMs + UNLOAD_GRACE_MS, finish);
      this.#leaving.add(check);
    });
  }

  /** A host has reported, or was lost. */
  look(): void {
    for (const check of [...this.#leaving]) check();
  }

  /** A host has reported, maybe for the first time. */
  greet(host: TurnsHost): void {
    if (this.#greeted.has(host)) return;
    this.#greeted.add(host);
    const unwanted = [...host.pools].filter((each) => each.loaded && !this.isLoaded(each.pool_id));
    if (unwanted.length === 0) return this.#loadWanted(host);
    this.#clearing.add(host);
    const gone = unwanted.map(({ pool_id: poolId }) => this.unload(poolId, 0));
    void Promise.all(gone).then(() => {
      this.#clearing.delete(host);
      this.#loadWanted(host);
    });
  }

  /** What was asked for before the host, or this process of it, was there. */
  #loadWanted(host: TurnsHost): void {
    for (const { pool_id: poolId, loaded } of host.pools) {
      if (!loaded && this.isLoaded(poolId)) host.tell({ type: 'load', pool_id: poolId });
    }
  }
}
