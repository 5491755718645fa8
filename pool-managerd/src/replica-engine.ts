/**
 * The engine of one replica, life after life: launched, waited for, tested, probed and discarded when the
 * driver says so. What comes of it is told as the machine's inputs; of a life that is over nothing is told.
 */
import type { OpenAdapter, WorkerAdapter } from '@llama-orch/worker-adapters';
import { DeadlineError, withDeadline } from './deadline.ts';
import { gpusOf } from './device-mask.ts';
import { awaitLoad, expectReady } from './engine-checks.ts';
import { classifyExit, describeDeath, hasCrashed, isDriverError } from './failure-class.ts';
import { findObstacle } from './launch-obstacle.ts';
import type { MemoryDesk } from './memory-desk.ts';
import type { ModelFacts, ReadModelFacts } from './model-digest.ts';
import type { PoolSettings } from './pool-config.ts';
import type { Clock } from './ports.ts';
import { ReplicaLife } from './replica-life.ts';
import type { GiveUpReason, ReplicaInput, ReplicaMachine } from './replica-machine-types.ts';
import type { Learned } from './replica-snapshot.ts';
import { MisfitError, selfTest, tinyWork } from './self-test.ts';
import type { EngineExit, SpawnEngine } from './spawn-engine.ts';

export interface ReplicaEngineDeps {
  readonly replicaId: string;
  readonly pool: PoolSettings;
  /** Set for `launch: external`. */
  readonly endpoint: string | undefined;
  readonly clock: Clock;
  readonly openAdapter: OpenAdapter;
  readonly embeddedEntry: string;
  readonly spawn: SpawnEngine;
  readonly readModelFacts: ReadModelFacts;
  readonly memory: MemoryDesk;
  /** How often the system has killed a process for want of memory; undefined where it does not say. */
  readonly oomKills: () => number | undefined;
}

export interface EngineObserver {
  /** Takes what came of an errand. */
  readonly send: (input: ReplicaInput) => void;
  readonly machine: () => ReplicaMachine;
}

const NO_MODEL_FACTS: ModelFacts = { digest: '', quant: '', kvBytesPerToken: 0 };

export class ReplicaEngine {
  readonly #deps: ReplicaEngineDeps;
  readonly #observer: EngineObserver;
  #learned: Learned | undefined;
  #life: ReplicaLife | undefined;
  /** Resolves when every discarded life is fully over: two engines never share a device. */
  #funeral: Promise<void> = Promise.resolve();
  #cancelPending: () => void = () => undefined;
  /** The probe that is under way. */
  #probing: 'health' | 'decode' | undefined;
  #startedAtMs = 0;
  #oomKillsBefore: number | undefined;
  /** The engine has said that its device does not work, and has not decoded since. */
  #deviceFault = false;
  /** What the last failure teaches of memory, once it is known. */
  #lesson: Promise<void> = Promise.resolve();

  constructor(deps: ReplicaEngineDeps, observer: EngineObserver) {
    this.#deps = deps;
    this.#observer = observer;
  }

  /** Undefined while there is none to talk to. */
  get adapter(): WorkerAdapter | undefined {
    return this.#life?.adapter;
  }

  get pid(): number | undefined {
    return this.#life?.pid;
  }

  /** By the latest self-test that was passed. */
  get learned(): Learned | undefined {
    return this.#learned;
  }

  /** Time since the present start began, ms. */
  get startingForMs(): number {
    return this.#deps.clock.now() - this.#startedAtMs;
  }

  /** Resolves when every discarded life is fully over. */
  get discarded(): Promise<void> {
    return this.#funeral;
  }

  launch(): void {
    void this.#launch();
  }

  awaitLoad(): void {
    this.#underLife((life, adapter) => this.#awaitLoad(life, adapter));
  }

  selfTest(): void {
    this.#underLife((life, adapter) => this.#selfTest(life, adapter));
  }

  /** Sends `wait-over` after a time. Replaces whatever wait or probe is pending. */
  wait(delayMs: number): void {
    this.#later(delayMs, () => this.#observer.send({ type: 'wait-over' }));
  }

  /** Replaces whatever wait or probe is pending. */
  probe(kind: 'health' | 'decode', delayMs: number): void {
    // The one under way will tell, and never would if every new doubt began it anew.
    if (delayMs === 0 && this.#probing === kind) return;
    this.#later(delayMs, (signal) => void this.#probe(kind, signal));
  }

  /** Ends the present life, and forgets what is pending. */
  discard(graceMs: number): void {
    this.#cancelPending();
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    this.#funeral = Promise.all([this.#funeral, life.end(graceMs)]).then(() => undefined);
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
      if (obstacle !== undefined) return this.#observer.send(obstacle);
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
    if (!life.over) this.#observer.send({ type: 'launched' });
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
    const { readySinceMs, state } = this.#observer.machine();
    const served = readySinceMs !== undefined || state === 'unready';
    const detail = describeDeath(exit, failure, served ? '' : (lines.at(-1) ?? ''));
    this.#broken(life, failure ?? 'exit', detail, hasCrashed(exit, failure));
  }

  /** A line may quote a prompt, so what it says of the device is checked before it is believed. */
  #onLine(line: string): void {
    if (!isDriverError(line)) return;
    this.#deviceFault = true;
    this.#observer.send({ type: 'device-fault', detail: 'the engine reports a GPU driver error' });
  }

  async #awaitLoad(life: ReplicaLife, adapter: WorkerAdapter): Promise<void> {
    const { pool, clock } = this.#deps;
    const watch = {
      refusalIsFinal: !this.#observer.machine().owned,
      onLoading: () => this.#observer.send({ type: 'answered' }),
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
    if (!life.over) this.#observer.send({ type: 'loaded' });
  }

  async #selfTest(life: ReplicaLife, adapter: WorkerAdapter): Promise<void> {
    const { pool, clock, readModelFacts } = this.#deps;
    const { ctx, workloads } = pool;
    const { owned } = this.#observer.machine();
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
      this.#observer.send({ type: 'passed' });
    } catch (error) {
      if (error instanceof MisfitError) {
        if (!life.over) this.#observer.send({ type: 'misfit', detail: error.message });
      } else {
        this.#broken(life, 'self-test', messageOf(error));
      }
    }
  }

  async #probe(kind: 'health' | 'decode', signal: AbortSignal): Promise<void> {
    const { pool, clock } = this.#deps;
    const ms = kind === 'health' ? pool.probe.timeoutMs : pool.hungCheckMs;
    const life = this.#life ?? this.#newLife();
    this.#probing = kind;
    let fault: string | undefined;
    try {
      if (life.adapter === undefined) await life.begin();
      const { adapter } = life;
      if (adapter === undefined) throw new Error('the engine has no address');
      const inTime = AbortSignal.any([signal, life.signal]);
      await withDeadline(clock, ms, inTime, (deadline) =>
        kind === 'health'
          ? expectReady(adapter, deadline)
          : tinyWork(adapter, pool.workloads, deadline),
      );
    } catch (error) {
      fault = messageOf(error);
    }
    if (signal.aborted || life.over) return;
    this.#probing = undefined;
    if (fault === undefined) {
      if (kind === 'decode') this.#deviceFault = false;
      // Should a self-test follow, an endpoint that came back is timed from here.
      this.#startedAtMs = clock.now();
      this.#observer.send({ type: 'probe-ok' });
    } else if (kind === 'health') {
      this.#observer.send({ type: 'probe-failed', detail: `probe: ${fault}` });
    } else {
      const suspicion = this.#observer.machine().lastError?.message ?? '';
      const reason = this.#deviceFault ? 'driver' : 'hung';
      this.#broken(life, reason, `${suspicion}; check: ${fault}`);
    }
  }

  #broken(life: ReplicaLife, reason: GiveUpReason, detail: string, crashed = false): void {
    if (!life.over) this.#observer.send({ type: 'broken', reason, detail, crashed });
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
      this.#probing = undefined;
      cancelTimer();
      abort.abort(new Error('replaced by a later probe'));
    };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
