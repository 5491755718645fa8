/**
 * Feeds the replica machine, has its engine do what that decides, and tells of it in snapshots and events.
 * Inputs are taken one at a time, so a listener may call back at any moment.
 */
import type { ProbePermit } from './circuit-breaker.ts';
import type { Random } from './ports.ts';
import { ReplicaEngine } from './replica-engine.ts';
import type { ReplicaEngineDeps } from './replica-engine.ts';
import { newReplica, transition } from './replica-machine.ts';
import type { ReplicaAction, ReplicaInput, ReplicaMachine } from './replica-machine-types.ts';
import { toSnapshot } from './replica-snapshot.ts';
import type { StormBound } from './restart-policy.ts';
import type {
  GpuLoad,
  PoolEvent,
  ReplicaHandle,
  ReplicaSnapshot,
  ReplicaSuspicion,
} from './types.ts';

export interface ReplicaDriverDeps extends ReplicaEngineDeps {
  /** Its place in the pool, from 0. */
  readonly ordinal: number;
  /** Of a canary, see `ReplicaSnapshot`. */
  readonly canaryPercent: number | undefined;
  readonly random: Random;
  readonly storm: StormBound;
  readonly permit: ProbePermit;
  /** Called before listeners hear that the replica is gone. */
  readonly fence: () => void;
  readonly emit: (event: PoolEvent) => void;
}

export class ReplicaDriver {
  readonly #deps: ReplicaDriverDeps;
  #machine: ReplicaMachine;
  #snapshot: ReplicaSnapshot;
  readonly #engine: ReplicaEngine;
  #canaryPercent: number | undefined;
  #gpus: readonly GpuLoad[] | undefined;
  readonly #firstPreload = Promise.withResolvers<boolean>();
  readonly #inbox: ReplicaInput[] = [];
  #stepping = false;
  #started = false;

  constructor(deps: ReplicaDriverDeps) {
    this.#deps = deps;
    this.#canaryPercent = deps.canaryPercent;
    this.#machine = newReplica(deps.endpoint === undefined);
    this.#engine = new ReplicaEngine(deps, {
      send: (input) => this.#send(input),
      machine: () => this.#machine,
    });
    this.#snapshot = this.#takeSnapshot();
  }

  get snapshot(): ReplicaSnapshot {
    return this.#snapshot;
  }

  get machine(): ReplicaMachine {
    return this.#machine;
  }

  /** Undefined unless the replica is ready. */
  get handle(): ReplicaHandle | undefined {
    const { adapter, learned } = this.#engine;
    if (this.#machine.state !== 'ready' || adapter === undefined || learned === undefined)
      return undefined;
    return { snapshot: this.#snapshot, adapter, envelope: learned.report.envelope };
  }

  /** Loaded and tested; a drain does not count. */
  get isUp(): boolean {
    return this.#machine.state === 'ready' || this.#machine.state === 'draining';
  }

  /** Whether the first start ended well; false too when it was stopped before. */
  get firstPreload(): Promise<boolean> {
    return this.#firstPreload.promise;
  }

  /** @param percent of the tasks, or undefined for a replica like the others */
  takeShare(percent: number | undefined): void {
    this.#canaryPercent = percent;
    this.#snapshot = this.#takeSnapshot();
    this.#deps.emit({ type: 'replica', replica: this.#snapshot });
  }

  /** Shown with the next look at the replica; nothing is decided by it. */
  showGpus(gpus: readonly GpuLoad[] | undefined): void {
    this.#gpus = gpus;
    this.#snapshot = this.#takeSnapshot();
  }

  /** Takes effect once. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#deps.emit({ type: 'replica', replica: this.#snapshot });
    this.#send({ type: 'start' });
  }

  drain(): void {
    this.#send({ type: 'drain' });
  }

  undrain(): void {
    this.#send({ type: 'undrain' });
  }

  suspect(suspicion: ReplicaSuspicion, detail: string): void {
    this.#send({ type: 'suspected', suspicion, detail: `${suspicion}: ${detail}` });
  }

  /** Final. Resolves when the process is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#send({ type: 'stop', graceMs });
    this.#firstPreload.resolve(false);
    // Called from within a step, the stop is taken when that is over.
    await Promise.resolve();
    await this.#engine.discarded;
  }

  #send(input: ReplicaInput): void {
    this.#inbox.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift())
        this.#step(next);
    } finally {
      this.#stepping = false;
    }
  }

  #step(input: ReplicaInput): void {
    const { replicaId, endpoint, pool, clock, random, storm, permit, memory, fence, emit } =
      this.#deps;
    const nowMs = clock.now();
    const before = this.#machine;
    const { machine, actions } = transition(before, input, {
      nowMs,
      probe: pool.probe,
      restart: pool.restart,
      killGraceMs: pool.killGraceMs,
      jitter: () => random.next(),
      bookRestart: (delayMs) => storm.book(nowMs, delayMs),
      // What broke one endpoint is no business of the others.
      takeProbe: () => endpoint !== undefined || permit.take(replicaId),
    });
    if (machine.breaker.state !== 'half-open') permit.release(replicaId);
    if (!isPreloading(machine)) memory.settle(replicaId);
    this.#machine = machine;
    const discard = actions.find((action) => action.type === 'discard');
    const gone = discard !== undefined && ['ready', 'draining', 'unready'].includes(before.state);
    if (gone) fence();
    if (discard !== undefined) this.#engine.discard(discard.graceMs);
    if (gone || isVisibleChange(before, machine)) {
      this.#snapshot = this.#takeSnapshot();
      const replica = this.#snapshot;
      const crashed = input.type === 'broken' && input.crashed === true;
      emit(gone ? { type: 'replica-gone', replica, crashed } : { type: 'replica', replica });
    }
    for (const action of actions) this.#perform(action);
  }

  #perform(action: ReplicaAction): void {
    const { emit } = this.#deps;
    const engine = this.#engine;
    switch (action.type) {
      case 'launch':
        return engine.launch();
      case 'await-load':
        return engine.awaitLoad();
      case 'self-test':
        return engine.selfTest();
      case 'wait':
        return engine.wait(action.delayMs);
      case 'probe':
        return engine.probe(action.kind, action.delayMs);
      case 'discard':
        // Done before anybody heard of it, so that no listener is shown a process on its way out.
        return;
      case 'report-preload': {
        const { outcome } = action;
        this.#firstPreload.resolve(outcome === 'ok');
        return emit({
          type: 'preload',
          replica: this.#snapshot,
          outcome,
          ms: engine.startingForMs,
        });
      }
      case 'report-restart': {
        const { reason, delayMs } = action;
        return emit({ type: 'restart', replica: this.#snapshot, reason, delayMs });
      }
    }
  }

  #takeSnapshot(): ReplicaSnapshot {
    const { replicaId, ordinal, pool, endpoint } = this.#deps;
    return toSnapshot({
      replicaId,
      ordinal,
      canaryPercent: this.#canaryPercent,
      gpus: this.#gpus,
      pool,
      machine: this.#machine,
      learned: this.#engine.learned,
      url: this.#engine.adapter?.url ?? endpoint ?? '',
      pid: this.#engine.pid,
    });
  }
}

function isPreloading({ state }: ReplicaMachine): boolean {
  return state === 'starting' || state === 'loading' || state === 'self-test';
}

/** Events tell of states and errors; that a probe went well again is not news. */
function isVisibleChange(before: ReplicaMachine, after: ReplicaMachine): boolean {
  return before.state !== after.state || before.lastError?.message !== after.lastError?.message;
}
