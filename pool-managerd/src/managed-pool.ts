/**
 * The replicas of one pool as they come and go: loaded and unloaded on command, replaced by those of
 * another model, or joined by a canary. Each model that is brought in makes a generation, whose replicas
 * have ids of their own; they share a set with those of another only when the model file is the same.
 *
 * Changes are carried out one at a time. A replica that has to go is drained first, and is stopped once
 * nobody holds a lease on it, or its time is up.
 */
import { OrchError } from '@llama-orch/contracts';
import { LeaseWaits } from './lease-waits.ts';
import type { MemoryDesk } from './memory-desk.ts';
import { poolHealth } from './pool-health.ts';
import type { PoolSettings } from './pool-config.ts';
import type { Clock, Logger } from './ports.ts';
import type { ReplicaDriver } from './replica-driver.ts';
import type { CanaryShare, ModelTarget, PoolChange, PoolHealth, ReplicaSnapshot } from './types.ts';

export interface Member {
  readonly driver: ReplicaDriver;
  readonly settings: PoolSettings;
  readonly ordinal: number;
  readonly generation: number;
}

export interface ManagedPoolDeps {
  readonly settings: PoolSettings;
  /** Makes a driver that is not started yet. */
  readonly openDriver: (member: Omit<Member, 'driver'>, canaryPercent?: number) => ReplicaDriver;
  /** The replica is gone for good. */
  readonly dropDriver: (driver: ReplicaDriver) => void;
  /** Whether somebody may be dispatching to the replica. */
  readonly isLeased: (replicaId: string) => boolean;
  readonly memory: MemoryDesk;
  readonly clock: Clock;
  readonly logger: Logger;
}

const NOT_LOADED = { message: 'the pool is not loaded', atMs: -Infinity };

interface Canary {
  readonly settings: PoolSettings;
  readonly generation: number;
  readonly percent: number;
}

export class ManagedPool {
  readonly #deps: ManagedPoolDeps;
  /** What the pool serves now; new replicas are started with it. */
  #settings: PoolSettings;
  #generation = 0;
  #newestGeneration = 0;
  #members: readonly Member[] = [];
  /** Those of them that end as soon as nothing runs there: no command brings them back. */
  readonly #retiring = new Set<Member>();
  #canary: Canary | undefined;
  #draining = false;
  #loaded: boolean;
  #phase: 'new' | 'running' | 'stopped' = 'new';
  #change: PoolChange | undefined;
  #abort = new AbortController();
  /** Settles when everything asked for so far is done. */
  #tail: Promise<void> = Promise.resolve();
  #lastError: { readonly message: string; readonly atMs: number } | undefined;
  readonly #leases: LeaseWaits;

  constructor(deps: ManagedPoolDeps) {
    this.#deps = deps;
    this.#leases = new LeaseWaits(deps.clock, deps.isLeased);
    this.#settings = deps.settings;
    this.#loaded = deps.settings.startLoaded;
    if (this.#loaded) this.#openAll();
  }

  get snapshots(): readonly ReplicaSnapshot[] {
    return this.#members.map(({ driver }) => driver.snapshot);
  }

  get health(): PoolHealth {
    const { id } = this.#deps.settings;
    const drivers = this.#members.map(({ driver }) => driver);
    const ownError = this.#lastError ?? (this.#loaded ? undefined : NOT_LOADED);
    const health = poolHealth(id, this.#draining, drivers, ownError);
    // Whatever becomes of a new model, in the end there is one that serves; and who unloads can load.
    const isComingBack =
      !this.#loaded || this.#change?.kind === 'reload' || this.#change?.kind === 'promotion';
    return {
      ...health,
      recoverable: health.recoverable || isComingBack,
      loaded: this.#loaded,
      change: this.#change,
    };
  }

  start(): void {
    if (this.#phase !== 'new') return;
    this.#phase = 'running';
    for (const { driver } of this.#members) driver.start();
  }

  drain(): void {
    this.#draining = true;
    for (const { driver } of this.#members) driver.drain();
  }

  undrain(): void {
    this.#draining = false;
    for (const member of this.#members) if (!this.#retiring.has(member)) member.driver.undrain();
  }

  /** A lease on one of the replicas is over. */
  leaseEnded(replicaId: string): void {
    this.#leases.ended(replicaId);
  }

  load(): void {
    void this.#enqueue(() => {
      if (this.#loaded) return;
      this.#loaded = true;
      this.#openAll();
      if (this.#phase === 'running') for (const { driver } of this.#members) driver.start();
    });
  }

  /** Resolves when the last process is gone. */
  unload(deadlineMs: number): Promise<void> {
    return this.#enqueue(async () => {
      this.#loaded = false;
      if (this.#canary !== undefined) {
        this.#canary = undefined;
        this.#change = undefined;
      }
      await Promise.all(this.#members.map((member) => this.#retire(member, deadlineMs)));
    });
  }

  /** @throws OrchError CONFLICT when the pool cannot change its model, or is changing it */
  reload(model: ModelTarget): void {
    this.#requireChangeable();
    const settings = this.#withModel(model);
    this.#begin({ kind: 'reload', modelId: model.modelId, percent: undefined });
    const generation = this.#nextGeneration();
    void this.#enqueue(() => this.#changeModel(settings, generation));
  }

  /** @throws OrchError CONFLICT when the pool cannot change its model, or is changing it */
  canary(model: ModelTarget, { percent, replicas }: CanaryShare): void {
    this.#requireChangeable();
    if (!this.#loaded) throw this.#conflict('is not loaded');
    const settings = this.#withModel(model);
    this.#begin({ kind: 'canary', modelId: model.modelId, percent });
    const canary: Canary = { settings, percent, generation: this.#nextGeneration() };
    this.#canary = canary;
    void this.#enqueue(() => this.#bringUpCanary(canary, Math.min(replicas, settings.replicas)));
  }

  /** The canary's model becomes the pool's. @throws OrchError CONFLICT when there is no canary that serves */
  promote(): void {
    const canary = this.#canary;
    if (canary === undefined) throw this.#conflict('has no canary');
    const members = this.#of(canary.generation);
    if (members.length === 0 || !members.every(({ driver }) => driver.isUp))
      throw this.#conflict('has a canary that is not ready');
    this.#canary = undefined;
    const { settings, generation } = canary;
    this.#begin({ kind: 'promotion', modelId: settings.modelId, percent: undefined });
    void this.#enqueue(async () => {
      for (const { driver } of this.#of(generation)) driver.takeShare(undefined);
      await this.#changeModel(settings, generation);
    });
  }

  /**
   * Ends a canary, or takes back a change of the model that is under way.
   * @throws OrchError CONFLICT when there is neither
   */
  rollback(): void {
    const canary = this.#canary;
    if (this.#change === undefined)
      throw this.#conflict('has neither a canary nor a change to undo');
    this.#canary = undefined;
    this.#abort.abort(new Error('it was rolled back'));
    if (canary === undefined) return;
    this.#change = { kind: 'rollback', modelId: canary.settings.modelId, percent: undefined };
    void this.#enqueue(() => this.#removeCanary(canary));
  }

  /** Final. Resolves when every process is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#phase = 'stopped';
    this.#abort.abort(new Error('the pool is being stopped'));
    this.#leases.endAll();
    await Promise.all(this.#members.map(({ driver }) => driver.stop(graceMs)));
    await this.#tail;
  }

  // ── changing the model ────────────────────────────────────────────────────────────────────────

  /**
   * Replaces the replicas one by one: beside the old one where there is memory for both, else instead
   * of it. When one of the new does not come up, all is as before.
   */
  async #changeModel(settings: PoolSettings, generation: number): Promise<void> {
    const { modelId } = settings;
    const before = { settings: this.#settings, generation: this.#generation };
    const abort = this.#abort.signal;
    // Whatever is started from here on, such as by `load`, is of the new model.
    this.#settings = settings;
    this.#generation = generation;
    for (let ordinal = 0; this.#loaded && ordinal < settings.replicas; ordinal++) {
      const fault = abort.aborted
        ? (abort.reason as Error).message
        : await this.#replace(ordinal, generation, settings);
      if (this.#phase === 'stopped') return;
      if (fault === undefined) continue;
      this.#fail(`${modelId} was not brought in, ${before.settings.modelId} serves on: ${fault}`);
      await this.#changeBack(before, generation);
      break;
    }
    this.#change = undefined;
  }

  /** @returns why the new replica did not come up; the old one may be gone all the same */
  async #replace(
    ordinal: number,
    generation: number,
    settings: PoolSettings,
  ): Promise<string | undefined> {
    const old = this.#members.filter(
      (each) => each.ordinal === ordinal && each.generation !== generation,
    );
    const present = this.#of(generation).find((each) => each.ordinal === ordinal);
    if (present === undefined) {
      const next = this.#open(ordinal, generation, settings);
      const { memory } = this.#deps;
      const verdict = await memory.ask(next.driver.snapshot.replicaId, settings);
      // On a guess the old one, which works, would be put at risk.
      if (verdict.kind !== 'granted' || !verdict.isKnown) await this.#retireAll(old);
      const fault = await this.#bringUp(next, this.#abort.signal);
      if (fault !== undefined) return fault;
    }
    await this.#retireAll(old);
    return undefined;
  }

  /** Ends what came with the new model, once the old one is back in each place. */
  async #changeBack(
    { settings, generation }: { settings: PoolSettings; generation: number },
    failed: number,
  ): Promise<void> {
    this.#settings = settings;
    this.#generation = generation;
    for (let ordinal = 0; ordinal < settings.replicas; ordinal++) {
      if (this.#phase === 'stopped') return;
      const isThere = this.#of(generation).some((each) => each.ordinal === ordinal);
      if (!isThere) {
        const again = this.#open(ordinal, generation, settings);
        // It may lack the memory that the new one still has; then it tries again by itself.
        await this.#bringUp(again);
      }
      await this.#retireAll(this.#of(failed).filter((each) => each.ordinal === ordinal));
    }
    await this.#retireAll(this.#of(failed));
  }

  async #bringUpCanary(canary: Canary, replicas: number): Promise<void> {
    const { settings, generation, percent } = canary;
    // It may have been rolled back, or the pool unloaded, while it waited its turn.
    if (this.#canary !== canary) return;
    const members = Array.from({ length: replicas }, (_, ordinal) =>
      this.#open(ordinal, generation, settings, percent),
    );
    const { signal } = this.#abort;
    const faults = await Promise.all(members.map((member) => this.#bringUp(member, signal)));
    const fault = faults.find((each) => each !== undefined);
    if (fault === undefined || this.#canary !== canary) return;
    this.#fail(`the canary of ${settings.modelId} was removed: ${fault}`);
    this.#canary = undefined;
    await this.#removeCanary(canary);
  }

  async #removeCanary({ generation }: Canary): Promise<void> {
    await this.#retireAll(this.#of(generation));
    this.#change = undefined;
  }

  // ── replicas ──────────────────────────────────────────────────────────────────────────────────

  /**
   * Starts a replica.
   * @param abort ends the attempt, and the replica with it
   * @returns why its first start failed, or undefined when it is ready
   */
  async #bringUp({ driver, settings }: Member, abort?: AbortSignal): Promise<string | undefined> {
    if (this.#phase === 'stopped') return 'the pool is being stopped';
    const giveUp = (): void => void driver.stop(settings.killGraceMs);
    if (abort?.aborted === true) giveUp();
    else driver.start();
    abort?.addEventListener('abort', giveUp);
    const isReady = await driver.firstPreload;
    abort?.removeEventListener('abort', giveUp);
    if (isReady) return undefined;
    return abort?.aborted === true
      ? (abort.reason as Error).message
      : (driver.snapshot.lastError ?? 'it was stopped');
  }

  #openAll(): void {
    for (let ordinal = 0; ordinal < this.#settings.replicas; ordinal++)
      this.#open(ordinal, this.#generation, this.#settings);
  }

  #open(ordinal: number, generation: number, settings: PoolSettings, percent?: number): Member {
    const driver = this.#deps.openDriver({ ordinal, generation, settings }, percent);
    if (this.#draining) driver.drain();
    const member: Member = { driver, ordinal, generation, settings };
    this.#members = [...this.#members, member];
    return member;
  }

  #of(generation: number): readonly Member[] {
    return this.#members.filter((member) => member.generation === generation);
  }

  async #retireAll(members: readonly Member[]): Promise<void> {
    await Promise.all(members.map((member) => this.#retire(member, this.#settings.retireMs)));
  }

  /** Takes nothing new, finishes what runs as long as there is time, and ends. */
  async #retire(member: Member, deadlineMs: number): Promise<void> {
    const { driver, settings } = member;
    this.#retiring.add(member);
    if (this.#phase !== 'stopped') {
      driver.drain();
      await this.#leases.untilFree(driver.snapshot.replicaId, deadlineMs);
    }
    await driver.stop(settings.killGraceMs);
    this.#members = this.#members.filter((each) => each !== member);
    this.#retiring.delete(member);
    this.#deps.dropDriver(driver);
  }

  // ── order of changes ──────────────────────────────────────────────────────────────────────────

  #begin(change: PoolChange): void {
    this.#change = change;
    this.#abort = new AbortController();
    this.#lastError = undefined;
  }

  #fail(message: string): void {
    const { clock, logger, settings } = this.#deps;
    this.#lastError = { message, atMs: clock.now() };
    logger.warn({ pool_id: settings.id, last_error: message }, 'a change of model was taken back');
  }

  #enqueue(run: () => void | Promise<void>): Promise<void> {
    const done = this.#tail.then(() => (this.#phase === 'stopped' ? undefined : run()));
    this.#tail = done.catch((error: unknown) => {
      const { logger, settings } = this.#deps;
      this.#change = undefined;
      logger.error({ err: error, pool_id: settings.id }, 'a change of the pool failed');
    });
    return done;
  }

  #nextGeneration(): number {
    this.#newestGeneration += 1;
    return this.#newestGeneration;
  }

  #withModel({ modelId, modelPath, modelDigest }: ModelTarget): PoolSettings {
    return { ...this.#settings, modelId, modelPath, modelDigest };
  }

  #requireChangeable(): void {
    const { launch, command } = this.#settings;
    if (launch === 'external') throw this.#conflict('has engines that others start');
    if (launch === 'process' && !command.some((argument) => argument.includes('{model}')))
      throw this.#conflict('has a command without {model}');
    if (this.#change?.kind === 'canary') throw this.#conflict('has a canary');
    if (this.#change !== undefined) throw this.#conflict('is changing its model');
  }

  #conflict(what: string): OrchError {
    const { id } = this.#settings;
    return new OrchError('CONFLICT', `pool ${id} ${what}`, { poolId: id });
  }
}
