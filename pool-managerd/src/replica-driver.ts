/**
 * Performs what the replica machine decides: spawns, waits, tests, probes, discards, and reports every
 * result back as an input. Inputs are taken one at a time, so a listener may call back at any moment.
 */
import type { OpenAdapter, WorkerAdapter } from '@llama-orch/worker-adapters';
import { gpusOf } from './device-mask.ts';
import { DeadlineError, withDeadline } from './deadline.ts';
import { awaitLoad, expectReady } from './engine-checks.ts';
import { classifyExit, describeDeath, hasCrashed, isDriverError } from './failure-class.ts';
import type { MemoryDesk } from './memory-desk.ts';
import type { ModelFacts, ReadModelFacts } from './model-digest.ts';
import type { PoolSettings } from './pool-config.ts';
import type { Clock, Random } from './ports.ts';
import { ReplicaLife } from './replica-life.ts';
import { findObstacle } from './launch-obstacle.ts';
import { newReplica, transition } from './replica-machine.ts';
import type {
  GiveUpReason,
  ReplicaAction,
  ReplicaInput,
  ReplicaMachine,
} from './replica-machine-types.ts';
import { toSnapshot } from './replica-snapshot.ts';
import type { Learned } from './replica-snapshot.ts';
import type { ProbePermit } from './circuit-breaker.ts';
import type { StormBound } from './restart-policy.ts';
import { MisfitError, selfTest, tinyWork } from './self-test.ts';
import type { EngineExit, SpawnEngine } from './spawn-engine.ts';
import type {
  GpuLoad,
  PoolEvent,
  ReplicaHandle,
  ReplicaSnapshot,
  ReplicaSuspicion,
} from './types.ts';

export interface ReplicaDriverDeps {
  readonly replicaId: string;
  /** Its place in the pool, from 0. */
  readonly ordinal: number;
  /** Of a canary, see `ReplicaSnapshot`. */
  readonly canaryPercent: number | undefined;
  readonly pool: PoolSettings;
  /** Set for `launch: external`. */
  readonly endpoint: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly openAdapter: OpenAdapter;
  readonly embeddedEntry: string;
  readonly spawn: SpawnEngine;
  readonly readModelFacts: ReadModelFacts;
  readonly storm: StormBound;
  readonly permit: ProbePermit;
  readonly memory: MemoryDesk;
  /** How often the system has killed a process for want of memory; undefined where it does not say. */
  readonly oomKills: () => number | undefined;
  /** Called before listeners hear that the replica is gone. */
  readonly fence: () => void;
  readonly emit: (event: PoolEvent) => void;
}

const NO_MODEL_FACTS: ModelFacts = { digest: '', quant: '', kvBytesPerToken: 0 };

export class ReplicaDriver {
  readonly #deps: ReplicaDriverDeps;
  #machine: ReplicaMachine;
  #snapshot: ReplicaSnapshot;
  #learned: Learned | undefined;
  #life: ReplicaLife | undefined;
  /** Resolves when every discarded life is fully over: two engines never share a device. */
  #funeral: Promise<void> = Promise.resolve();
  #cancelPending: () => void = () => undefined;
  #startedAtMs = 0;
  #oomKillsBefore: number | undefined;
  /** The engine has said that its device does not work, and has not decoded since. */
  #deviceFault = false;
  /** What the last failure teaches of memory, once it is known. */
  #lesson: Promise<void> = Promise.resolve();
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
    const adapter = this.#life?.adapter;
    if (this.#machine.state !== 'ready' || adapter === undefined || this.#learned === undefined)
      return undefined;
    return { snapshot: this.#snapshot, adapter, envelope: this.#learned.report.envelope };
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
    await this.#funeral;
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
    if (discard !== undefined) this.#discard(discard.graceMs);
    if (gone || isVisibleChange(before, machine)) {
      this.#snapshot = this.#takeSnapshot();
      const replica = this.#snapshot;
      const crashed = input.type === 'broken' && input.crashed === true;
      emit(gone ? { type: 'replica-gone', replica, crashed } : { type: 'replica', replica });
    }
    for (const action of actions) this.#perform(action);
  }

  #perform(action: ReplicaAction): void {
    const { clock, emit } = this.#deps;
    switch (action.type) {
      case 'launch':
        return void this.#launch();
      case 'await-load':
        return this.#underLife((life, adapter) => this.#awaitLoad(life, adapter));
      case 'self-test':
        return this.#underLife((life, adapter) => this.#selfTest(life, adapter));
      case 'wait':
        return this.#later(action.delayMs, () => this.#send({ type: 'wait-over' }));
      case 'probe':
        return this.#later(action.delayMs, (signal) => void this.#probe(action.kind, signal));
      case 'discard':
        // Done before anybody heard of it, so that no listener is shown a process on its way out.
        return;
      case 'report-preload': {
        const ms = clock.now() - this.#startedAtMs;
        this.#firstPreload.resolve(action.outcome === 'ok');
        return emit({ type: 'preload', replica: this.#snapshot, outcome: action.outcome, ms });
      }
      case 'report-restart': {
        const { reason, delayMs } = action;
        return emit({ type: 'restart', replica: this.#snapshot, reason, delayMs });
      }
    }
  }

  async #launch(): Promise<void> {
    const { replicaId, pool, clock, endpoint, memory, oomKills } = this.#deps;
    const life = this.#newLife();
    this.#startedAtMs = clock.now();
    await Promise.all([this.#funeral, this.#lesson]);
    if (life.over) return;
    this.#startedAtMs = clock.now();
    this.#oomKillsBefore = oomKills();
    this.#deviceFault = false;
    if (endpoint === undefined) {
      const obstacle = await findObstacle(this.#deps);
      // Nobody else will: it ended before this replica was given its memory.
      if (life.over) return memory.settle(replicaId);
      if (obstacle !== undefined) return this.#send(obstacle);
    }
    if (pool.modelPath !== undefined) {
      // Read beside the start of the engine; the self-test waits for it and reports its failure.
      this.#deps.readModelFacts(pool.modelPath).catch(() => undefined);
    }
    try {
      await life.begin();
    } catch (error) {
      const reason = error instanceof DeadlineError ? 'load-timeout' : 'launch';
      return this.#broken(life, reason, `the engine could not be started: ${messageOf(error)}`);
    }
    if (!life.over) this.#send({ type: 'launched' });
  }

  #newLife(): ReplicaLife {
    const { pool, endpoint, openAdapter, spawn, embeddedEntry, clock } = this.#deps;
    const life = new ReplicaLife({
      pool,
      endpoint,
      openAdapter,
      spawn,
      embeddedEntry,
      clock,
      onExit: (exit, lastLines) => this.#onExit(life, exit, lastLines),
      onLine: (line) => this.#onLine(line),
    });
    this.#life = life;
    return life;
  }

  #onExit(life: ReplicaLife, exit: EngineExit, lines: readonly string[]): void {
    const { pool, memory, oomKills } = this.#deps;
    const onGpu = gpusOf(pool.device).length > 0;
    const systemWasOutOfMemory = (oomKills() ?? 0) > (this.#oomKillsBefore ?? Infinity);
    const failure = classifyExit({ exit, lines, onGpu, systemWasOutOfMemory });
    if (failure === 'vram-oom') this.#lesson = memory.learn(pool, 'gpu');
    if (failure === 'host-oom' && !onGpu) this.#lesson = memory.learn(pool, 'host');
    // Once an engine has served, its output may quote prompts and stays out of sight.
    const served = this.#machine.readySinceMs !== undefined || this.#machine.state === 'unready';
    const detail = describeDeath(exit, failure, served ? '' : (lines.at(-1) ?? ''));
    this.#broken(life, failure ?? 'exit', detail, hasCrashed(exit, failure));
  }

  /** A line may quote a prompt, so what it says of the device is checked before it is believed. */
  #onLine(line: string): void {
    if (!isDriverError(line)) return;
    this.#deviceFault = true;
    this.#send({ type: 'device-fault', detail: 'the engine reports a GPU driver error' });
  }

  async #awaitLoad(life: ReplicaLife, adapter: WorkerAdapter): Promise<void> {
    const { pool, clock } = this.#deps;
    const watch = {
      refusalIsFinal: !this.#machine.owned,
      onLoading: () => this.#send({ type: 'answered' }),
    };
    try {
      await withDeadline(clock, pool.loadMs, life.signal, (signal) =>
        awaitLoad(adapter, watch, clock, signal),
      );
    } catch (error) {
      return error instanceof DeadlineError
        ? this.#broken(life, 'load-timeout', `the engine was not ready within ${pool.loadMs} ms`)
        : this.#broken(life, 'launch', messageOf(error));
    }
    if (!life.over) this.#send({ type: 'loaded' });
  }

  async #selfTest(life: ReplicaLife, adapter: WorkerAdapter): Promise<void> {
    const { pool, clock, readModelFacts } = this.#deps;
    const { ctx, workloads } = pool;
    const { owned } = this.#machine;
    try {
      const [report, model] = await Promise.all([
        withDeadline(clock, pool.selfTestMs, life.signal, (signal) =>
          selfTest(adapter, { ctx, workloads, exclusive: owned }, clock, signal),
        ),
        pool.modelPath === undefined ? NO_MODEL_FACTS : readModelFacts(pool.modelPath),
      ]);
      if (life.over) return;
      this.#learned = { report, model };
      this.#deps.memory.unlearn(pool);
      this.#send({ type: 'passed' });
    } catch (error) {
      if (error instanceof MisfitError) {
        if (!life.over) this.#send({ type: 'misfit', detail: error.message });
      } else {
        this.#broken(life, 'self-test', messageOf(error));
      }
    }
  }

  async #probe(kind: 'health' | 'decode', signal: AbortSignal): Promise<void> {
    const { pool, clock } = this.#deps;
    const ms = kind === 'health' ? pool.probe.timeoutMs : pool.hungCheckMs;
    const life = this.#life ?? this.#newLife();
    try {
      if (life.adapter === undefined) await life.begin();
      const { adapter } = life;
      if (adapter === undefined) return;
      const inTime = AbortSignal.any([signal, life.signal]);
      await withDeadline(clock, ms, inTime, (deadline) =>
        kind === 'health'
          ? expectReady(adapter, deadline)
          : tinyWork(adapter, pool.workloads, deadline),
      );
    } catch (error) {
      if (signal.aborted || life.over) return;
      if (kind === 'decode') {
        const reason = this.#deviceFault ? 'driver' : 'hung';
        this.#broken(life, reason, `${this.#lastError()}; check: ${messageOf(error)}`);
      } else this.#send({ type: 'probe-failed', detail: `probe: ${messageOf(error)}` });
      return;
    }
    if (signal.aborted || life.over) return;
    if (kind === 'decode') this.#deviceFault = false;
    // Should a self-test follow, an endpoint that came back is timed from here.
    this.#startedAtMs = clock.now();
    this.#send({ type: 'probe-ok' });
  }

  #discard(graceMs: number): void {
    this.#cancelPending();
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    this.#funeral = Promise.all([this.#funeral, life.end(graceMs)]).then(() => undefined);
  }

  #broken(life: ReplicaLife, reason: GiveUpReason, detail: string, crashed = false): void {
    if (!life.over) this.#send({ type: 'broken', reason, detail, crashed });
  }

  #underLife(run: (life: ReplicaLife, adapter: WorkerAdapter) => Promise<void>): void {
    const life = this.#life;
    if (life?.adapter !== undefined) void run(life, life.adapter);
  }

  /** A replica has one pending wait or probe at a time; a new one replaces it. */
  #later(delayMs: number, fire: (signal: AbortSignal) => void): void {
    this.#cancelPending();
    const abort = new AbortController();
    const cancelTimer = this.#deps.clock.setTimer(delayMs, () => fire(abort.signal));
    this.#cancelPending = () => {
      cancelTimer();
      abort.abort(new Error('replaced by a later probe'));
    };
  }

  #lastError(): string {
    return this.#machine.lastError?.message ?? '';
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
      learned: this.#learned,
      url: this.#life?.adapter?.url ?? endpoint ?? '',
      pid: this.#life?.pid,
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
