/**
 * The replicas of one pool as they come and go. One that has to go is drained first, and is stopped once
 * nobody holds a lease on it, or its time is up.
 */
import { LeaseWaits } from './lease-waits.ts';
import type { Clock } from './ports.ts';
import type { PoolSettings } from './pool-config.ts';
import type { ReplicaDriver } from './replica-driver.ts';

export interface Member {
  readonly driver: ReplicaDriver;
  readonly settings: PoolSettings;
  readonly ordinal: number;
  readonly generation: number;
}

export interface PoolMembersDeps {
  /** Makes a driver that is not started yet. */
  readonly openDriver: (member: Omit<Member, 'driver'>, canaryPercent?: number) => ReplicaDriver;
  /** The replica is gone for good. */
  readonly dropDriver: (driver: ReplicaDriver) => void;
  /** Whether somebody may be dispatching to the replica. */
  readonly isLeased: (replicaId: string) => boolean;
  readonly clock: Clock;
}

export class PoolMembers {
  readonly #deps: PoolMembersDeps;
  readonly #leases: LeaseWaits;
  #all: readonly Member[] = [];
  /** Those of them that end as soon as nothing runs there: no command of an operator brings them back. */
  readonly #retiring = new Set<Member>();
  #draining = false;
  #stopped = false;

  constructor(deps: PoolMembersDeps) {
    this.#deps = deps;
    this.#leases = new LeaseWaits(deps.clock, deps.isLeased);
  }

  get drivers(): readonly ReplicaDriver[] {
    return this.#all.map(({ driver }) => driver);
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Nothing is started any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  get all(): readonly Member[] {
    return this.#all;
  }

  of(generation: number): readonly Member[] {
    return this.#all.filter((member) => member.generation === generation);
  }

  /** A new one, not started yet. @param canaryPercent of the tasks, for a canary */
  open(place: Omit<Member, 'driver'>, canaryPercent?: number): Member {
    const driver = this.#deps.openDriver(place, canaryPercent);
    if (this.#draining) driver.drain();
    const member: Member = { ...place, driver };
    this.#all = [...this.#all, member];
    return member;
  }

  /** Starts those that are not started yet. */
  start(): void {
    if (!this.#stopped) for (const { driver } of this.#all) driver.start();
  }

  /**
   * Starts a replica.
   * @param abort ends the attempt, and the replica with it
   * @returns why its first start failed, or undefined when it is ready
   */
  async bringUp({ driver, settings }: Member, abort?: AbortSignal): Promise<string | undefined> {
    if (this.#stopped) return 'the pool is being stopped';
    const giveUp = (): void => void driver.stop(settings.killGraceMs);
    if (abort?.aborted === true) giveUp();
    else driver.start();
    abort?.addEventListener('abort', giveUp);
    const isReady = await driver.firstPreload;
    abort?.removeEventListener('abort', giveUp);
    // First, as it may have become ready at the very moment of the abort, which stopped it.
    if (abort?.aborted === true) return (abort.reason as Error).message;
    return isReady ? undefined : (driver.snapshot.lastError ?? 'it was stopped');
  }

  /**
   * Lets replicas finish what runs there for at most `deadlineMs`, and ends them.
   * @param spare when it aborts, those that still run something stay
   */
  async retire(members: readonly Member[], deadlineMs: number, spare?: AbortSignal): Promise<void> {
    await Promise.all(members.map((member) => this.#retire(member, deadlineMs, spare)));
  }

  drain(): void {
    this.#draining = true;
    for (const { driver } of this.#all) driver.drain();
  }

  undrain(): void {
    this.#draining = false;
    for (const member of this.#all) if (!this.#retiring.has(member)) member.driver.undrain();
  }

  /** A lease on one of them is over. */
  leaseEnded(replicaId: string): void {
    this.#leases.ended(replicaId);
  }

  /** Final. Resolves when every process is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#leases.endAll();
    await Promise.all(this.#all.map(({ driver }) => driver.stop(graceMs)));
  }

  async #retire(member: Member, deadlineMs: number, spare: AbortSignal | undefined): Promise<void> {
    const { driver, settings } = member;
    this.#retiring.add(member);
    if (!this.#stopped) {
      driver.drain();
      await this.#leases.untilFree(driver.snapshot.replicaId, deadlineMs, spare);
    }
    if (spare?.aborted === true && !this.#stopped) {
      this.#retiring.delete(member);
      if (!this.#draining) driver.undrain();
      return;
    }
    await driver.stop(settings.killGraceMs);
    this.#all = this.#all.filter((each) => each !== member);
    this.#retiring.delete(member);
    this.#deps.dropDriver(driver);
  }
}
