/**
 * What one pool is told to do: its replicas are loaded and unloaded, replaced by those of another model,
 * or joined by a canary. Each model that is brought in makes a generation, whose replicas have ids of
 * their own; they share a set with those of another only when the model file is the same.
 *
 * Changes are carried out one at a time.
 */
import { OrchError } from '@llama-orch/contracts';
import type { MemoryDesk } from './memory-desk.ts';
import { bringBack, bringIn, reasonOf } from './model-exchange.ts';
import type { Model } from './model-exchange.ts';
import type { PoolSettings } from './pool-config.ts';
import { poolHealth } from './pool-health.ts';
import { PoolMembers } from './pool-members.ts';
import type { PoolMembersDeps } from './pool-members.ts';
import type { Logger } from './ports.ts';
import type { CanaryShare, ModelTarget, PoolChange, PoolHealth, ReplicaSnapshot } from './types.ts';

export interface ManagedPoolDeps extends PoolMembersDeps {
  readonly settings: PoolSettings;
  readonly memory: MemoryDesk;
  readonly logger: Logger;
}

interface PoolError {
  readonly message: string;
  readonly atMs: number;
}

const NOT_LOADED: PoolError = { message: 'the pool is not loaded', atMs: -Infinity };

interface Canary extends Model {
  readonly percent: number;
}

export class ManagedPool {
  readonly #deps: ManagedPoolDeps;
  /** What the pool serves now; new replicas are started with it. */
  #settings: PoolSettings;
  #generation = 0;
  #newestGeneration = 0;
  readonly #members: PoolMembers;
  #canary: Canary | undefined;
  #loaded: boolean;
  #started = false;
  #change: PoolChange | undefined;
  #abort = new AbortController();
  /** Settles when everything asked for so far is done. */
  #tail: Promise<void> = Promise.resolve();
  #lastError: (PoolError & { readonly fault: string }) | undefined;
  /** Why it was of no use when it was unloaded; undefined when it was. */
  #lastFailure: PoolError | undefined;

  constructor(deps: ManagedPoolDeps) {
    this.#deps = deps;
    this.#members = new PoolMembers(deps);
    this.#settings = deps.settings;
    this.#loaded = deps.settings.startLoaded;
    if (this.#loaded) this.#openAll();
  }

  get snapshots(): readonly ReplicaSnapshot[] {
    return this.#members.drivers.map(({ snapshot }) => snapshot);
  }

  get health(): PoolHealth {
    const { draining, drivers } = this.#members;
    const ownError = this.#loaded
      ? this.#lastError
      : (this.#lastFailure ?? this.#lastError ?? NOT_LOADED);
    const health = poolHealth(this.#deps.settings.id, draining, drivers, ownError);
    // Whatever becomes of a new model, in the end there is one that serves; and who unloads can load.
    const isComingBack =
      !this.#loaded || this.#change?.kind === 'reload' || this.#change?.kind === 'promotion';
    return {
      ...health,
      recoverable: health.recoverable || isComingBack,
      loaded: this.#loaded,
      modelId: this.#settings.modelId,
      change: this.#change,
      changeError: this.#lastError?.fault,
    };
  }

  start(): void {
    this.#started = true;
    this.#members.start();
  }

  drain(): void {
    this.#members.drain();
  }

  undrain(): void {
    this.#members.undrain();
  }

  /** A lease on one of the replicas is over. */
  leaseEnded(replicaId: string): void {
    this.#members.leaseEnded(replicaId);
  }

  load(): void {
    void this.#enqueue(() => {
      if (this.#loaded) return;
      this.#loaded = true;
      this.#openAll();
      if (this.#started) this.#members.start();
    });
  }

  /** Resolves when the last process is gone. */
  unload(deadlineMs: number): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#loaded) this.#lastFailure = this.#failureOfAll();
      this.#loaded = false;
      if (this.#canary !== undefined) {
        this.#canary = undefined;
        this.#change = undefined;
      }
      await this.#members.retire(this.#members.all, deadlineMs);
    });
  }

  /** @throws OrchError CONFLICT when the pool cannot change its model, or is changing it */
  reload(model: ModelTarget): void {
    this.#requireChangeable();
    const settings = this.#withModel(model);
    this.#begin({ kind: 'reload', modelId: model.modelId, percent: undefined });
    const generation = this.#nextGeneration();
    void this.#enqueue(() => this.#changeModel({ settings, generation }));
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
    const members = this.#members.of(canary.generation);
    if (members.length === 0 || !members.every(({ driver }) => driver.isUp))
      throw this.#conflict('has a canary that is not ready');
    this.#canary = undefined;
    const { settings, generation } = canary;
    this.#begin({ kind: 'promotion', modelId: settings.modelId, percent: undefined });
    void this.#enqueue(async () => {
      for (const { driver } of this.#members.of(generation)) driver.takeShare(undefined);
      await this.#changeModel({ settings, generation });
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
    this.#abort.abort(new Error('the pool is being stopped'));
    await this.#members.stop(graceMs);
    await this.#tail;
  }

  // ── changing the model ────────────────────────────────────────────────────────────────────────

  /** When one of the new replicas does not come up, or the change is rolled back, all is as before. */
  async #changeModel(next: Model): Promise<void> {
    const before: Model = { settings: this.#settings, generation: this.#generation };
    const members = this.#members;
    const { memory } = this.#deps;
    const abort = this.#abort.signal;
    // Whatever is started from here on, such as by `load`, is of the new model.
    this.#take(next);
    const fault = this.#loaded ? await bringIn(next, { members, memory }, abort) : reasonOf(abort);
    if (members.stopped) return;
    if (fault === undefined) {
      this.#noteDeparture();
    } else {
      const [wanted, kept] = [next.settings.modelId, before.settings.modelId];
      this.#fail(`${wanted} was not brought in, ${kept} serves on`, fault);
      this.#take(before);
      if (this.#loaded) await bringBack(before, members, next.generation);
    }
    this.#change = undefined;
  }

  #take({ settings, generation }: Model): void {
    this.#settings = settings;
    this.#generation = generation;
  }

  /** The configuration is not written to: whoever reads it, or starts the daemon anew, finds the old model. */
  #noteDeparture(): void {
    const { settings: configured, logger } = this.#deps;
    const { id, modelId } = this.#settings;
    if (modelId === configured.modelId) return;
    logger.warn(
      { pool_id: id, model_id: modelId, configured_model_id: configured.modelId },
      'the pool serves another model than it is configured for; after a restart it will not',
    );
  }

  async #bringUpCanary(canary: Canary, replicas: number): Promise<void> {
    const { settings, generation, percent } = canary;
    // It may have been rolled back, or the pool unloaded, while it waited its turn.
    if (this.#canary !== canary) return;
    const members = Array.from({ length: replicas }, (_, ordinal) =>
      this.#members.open({ ordinal, generation, settings }, percent),
    );
    const { signal } = this.#abort;
    const faults = await Promise.all(
      members.map((member) => this.#members.bringUp(member, signal)),
    );
    const fault = faults.find((each) => each !== undefined);
    if (fault === undefined || this.#canary !== canary) return;
    this.#fail(`the canary of ${settings.modelId} was removed`, fault);
    this.#canary = undefined;
    await this.#removeCanary(canary);
  }

  async #removeCanary({ generation, settings }: Canary): Promise<void> {
    await this.#members.retire(this.#members.of(generation), settings.retireMs);
    this.#change = undefined;
  }

  #openAll(): void {
    const settings = this.#settings;
    const generation = this.#generation;
    for (let ordinal = 0; ordinal < settings.replicas; ordinal++)
      this.#members.open({ ordinal, generation, settings });
  }

  /** Why none of the replicas works; undefined when one does, or there is no telling yet. */
  #failureOfAll(): PoolError | undefined {
    const { drivers } = this.#members;
    const { lastError } = poolHealth(this.#deps.settings.id, false, drivers, undefined);
    if (drivers.some(({ isUp }) => isUp) || lastError === undefined) return undefined;
    return { message: `${NOT_LOADED.message}: ${lastError}`, atMs: this.#deps.clock.now() };
  }

  // ── order of changes ──────────────────────────────────────────────────────────────────────────

  #begin(change: PoolChange): void {
    this.#change = change;
    this.#abort = new AbortController();
    this.#lastError = undefined;
  }

  #fail(what: string, fault: string): void {
    const { clock, logger, settings } = this.#deps;
    const message = `${what}: ${fault}`;
    this.#lastError = { message, fault, atMs: clock.now() };
    logger.warn({ pool_id: settings.id, last_error: message }, 'a change of model was taken back');
  }

  #enqueue(run: () => void | Promise<void>): Promise<void> {
    const done = this.#tail.then(() => (this.#members.stopped ? undefined : run()));
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
