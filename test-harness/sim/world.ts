/**
 * A fleet of replicas, one policy and one trace on a virtual clock. The same arguments give the
 * same result to the last bit.
 */
import { A100_8B, type IterationConstants } from './iteration-time.ts';
import type { Fleet, NamedPolicy, Policy } from './policy.ts';
import { Replica } from './replica-model.ts';
import {
  DEFAULT_KV_TOKENS,
  DEFAULT_TOKEN_BUDGET,
  type EngineSignals,
  type ReplicaListener,
  type ReplicaOptions,
  type ReplicaTruth,
} from './replica-types.ts';
import { SignalHistory } from './signal-history.ts';
import type { Trace, TraceRequest } from './trace.ts';

export interface Scenario {
  readonly replicas: number;
  readonly constants: IterationConstants;
  readonly tokenBudget: number;
  readonly kvTokens: number;
  readonly cacheTokens: number;
  readonly slots: number;
  readonly noise: number;
  readonly seed: number;
  /** How many times as long each replica takes; 1 where nothing is said. */
  readonly slowdowns: readonly number[];
  /**
   * Engine metrics are sampled every so often and arrive one period later. 0 is the setting of
   * the reference figures: policies may read the replicas' true state.
   */
  readonly signalPeriodMs: number;
}

/** Signals of 50 to 100 ms of age, one kind of replica, no prefix cache, no noise. */
export const DEFAULT_SCENARIO: Scenario = {
  replicas: 4,
  constants: A100_8B,
  tokenBudget: DEFAULT_TOKEN_BUDGET,
  kvTokens: DEFAULT_KV_TOKENS,
  cacheTokens: 0,
  slots: Infinity,
  noise: 0,
  seed: 1,
  slowdowns: [],
  signalPeriodMs: 50,
};

/** What became of one request. Times are absolute; NaN for what never happened. */
export interface RequestRecord {
  firstTokenMs: number;
  finishMs: number;
  /** Prompt tokens spared by prefix caches. */
  cachedTokens: number;
  rejectedMs: number;
  /** Where it finished, -1 while nowhere. */
  replica: number;
  dispatchMs: number;
  preemptions: number;
}

export interface RunResult {
  readonly records: readonly RequestRecord[];
  /** Time spent in steps, by replica, ms. */
  readonly busyMs: readonly number[];
  readonly endMs: number;
  /** Replica time with nothing to do while the policy held a request, ms. */
  readonly idleWhileHeldMs: number;
}

/** A stretch of time in which some replicas have nothing to do while requests are held. */
export interface IdleStretch {
  readonly fromMs: number;
  readonly toMs: number;
  /** The idle ones, by index in the fleet. */
  readonly replicas: ReadonlyMap<number, ReplicaTruth>;
  readonly held: ReadonlySet<number>;
}

type Place = 'unseen' | 'held' | 'dispatched' | 'ended';

/**
 * Plays a trace.
 * @param onIdle told of every stretch in which a replica idles while the policy holds something
 * @throws Error when the policy does what a router cannot, or leaves requests unanswered
 */
export function simulate(
  trace: Trace,
  scenario: Scenario,
  policy: NamedPolicy,
  onIdle?: (stretch: IdleStretch) => void,
): RunResult {
  return new World(trace, scenario, policy, onIdle).run();
}

class World implements Fleet {
  readonly replicas: Fleet['replicas'];
  readonly truth: Fleet['truth'];
  nowMs = 0;
  readonly #trace: Trace;
  readonly #fleet: Replica[];
  readonly #signals: SignalHistory[];
  readonly #policy: Policy;
  readonly #records: RequestRecord[];
  readonly #places: Place[];
  readonly #produced: number[];
  readonly #held = new Set<number>();
  readonly #onIdle: ((stretch: IdleStretch) => void) | undefined;
  #idleWhileHeldMs = 0;
  /** What replicas reported and the policy has not heard yet. */
  readonly #notices: (() => void)[] = [];

  constructor(
    trace: Trace,
    scenario: Scenario,
    policy: NamedPolicy,
    onIdle: ((stretch: IdleStretch) => void) | undefined,
  ) {
    this.#trace = trace;
    this.#onIdle = onIdle;
    this.#records = trace.map(() => ({
      firstTokenMs: NaN,
      finishMs: NaN,
      cachedTokens: 0,
      rejectedMs: NaN,
      replica: -1,
      dispatchMs: NaN,
      preemptions: 0,
    }));
    this.#places = trace.map(() => 'unseen');
    this.#produced = trace.map(() => 0);
    const options: ReplicaOptions = { ...scenario, slowdown: 1, reportSteps: false };
    this.#fleet = Array.from({ length: scenario.replicas }, (_, index) => {
      const slowdown = scenario.slowdowns[index] ?? 1;
      return new Replica({ ...options, slowdown }, index, this.#listener(index));
    });
    this.#signals = this.#fleet.map(() => new SignalHistory(scenario.signalPeriodMs));
    const { constants, kvTokens, cacheTokens, slots, tokenBudget } = scenario;
    const facts = { constants, kvTokens, cacheTokens, slots, tokenBudget };
    this.replicas = this.#fleet.map((_, index) => ({ index, ...facts }));
    this.truth = scenario.signalPeriodMs === 0 ? this.#fleet : undefined;
    this.#policy = policy.create(this);
  }

  run(): RunResult {
    let arrivals = 0;
    for (;;) {
      this.#startSteps();
      const arrivalMs = this.#trace[arrivals]?.arrivalMs ?? Infinity;
      let nextMs = Math.min(arrivalMs, this.#wakeMs());
      for (const replica of this.#fleet) nextMs = Math.min(nextMs, replica.nextMs);
      if (nextMs === Infinity) break;
      if (this.#held.size > 0 && nextMs > this.nowMs) this.#watchIdle(nextMs);
      this.nowMs = Math.max(this.nowMs, nextMs);
      for (const replica of this.#fleet) if (replica.nextMs <= this.nowMs) replica.complete();
      this.#tellAll();
      for (; (this.#trace[arrivals]?.arrivalMs ?? Infinity) <= this.nowMs; arrivals += 1) {
        this.#arrive(arrivals);
        this.#tellAll();
      }
      if (this.#wakeMs() <= this.nowMs) this.#wake();
    }
    return this.#result();
  }

  dispatch(requestId: number, replica: number): void {
    const request = this.#take(requestId, 'held', 'dispatch');
    const record = this.#record(requestId);
    record.replica = replica;
    if (Number.isNaN(record.dispatchMs)) record.dispatchMs = this.nowMs;
    this.#move(requestId, 'dispatched');
    const { promptTokens, outputTokens, blocks } = request;
    const producedBefore = this.#produced[requestId] ?? 0;
    this.#replica(replica).submit(
      { requestId, promptTokens, outputTokens, producedBefore, blocks },
      this.nowMs,
    );
  }

  reject(requestId: number): void {
    this.#take(requestId, 'held', 'reject');
    this.#move(requestId, 'ended');
    this.#record(requestId).rejectedMs = this.nowMs;
  }

  abort(requestId: number): void {
    this.#take(requestId, 'dispatched', 'abort');
    this.#replica(this.#record(requestId).replica).abort(requestId, this.nowMs);
  }

  signals(replica: number): EngineSignals {
    const history = this.#signals[replica];
    if (history === undefined) throw new RangeError(`there is no replica ${replica}`);
    return history.at(this.nowMs, this.#replica(replica));
  }

  producedTokens(requestId: number): number {
    const before = this.#produced[requestId] ?? 0;
    if (this.#places[requestId] !== 'dispatched') return before;
    const { replica } = this.#record(requestId);
    return Math.max(before, this.#replica(replica).producedBy(requestId, this.nowMs));
  }

  lastTokenMs(requestId: number): number | undefined {
    if (this.#places[requestId] !== 'dispatched') return undefined;
    const { replica } = this.#record(requestId);
    return this.#replica(replica).lastTokenMs(requestId, this.nowMs);
  }

  #startSteps(): void {
    for (const [index, replica] of this.#fleet.entries()) {
      replica.compose(this.nowMs);
      this.#signals[index]?.record(this.nowMs, replica);
    }
  }

  #arrive(id: number): void {
    const row = this.#trace[id];
    if (row === undefined) return;
    this.#move(id, 'held');
    const { arrivalMs, promptTokens, blocks, tenant, priority, ttftSloMs, maxTokens } = row;
    const firstTokenByMs = ttftSloMs === undefined ? undefined : arrivalMs + ttftSloMs;
    this.#policy.arrived({
      id,
      arrivalMs,
      promptTokens,
      blocks,
      tenant,
      priority,
      firstTokenByMs,
      maxTokens,
    });
  }

  #wakeMs(): number {
    return this.#policy.nextWakeMs?.() ?? Infinity;
  }

  #wake(): void {
    this.#policy.wake?.();
    this.#tellAll();
    if (this.#wakeMs() <= this.nowMs) {
      throw new Error(`the policy asks to be woken at ${this.#wakeMs()}, it is ${this.nowMs}`);
    }
  }

  #listener(replica: number): ReplicaListener {
    return {
      firstToken: ({ requestId }, atMs, cachedTokens) => {
        const record = this.#record(requestId);
        record.firstTokenMs = atMs;
        record.cachedTokens = cachedTokens;
        this.#notices.push(() => this.#policy.firstToken?.(requestId, replica));
      },
      finished: ({ requestId, outputTokens }, atMs) => {
        const record = this.#record(requestId);
        record.finishMs = atMs;
        this.#produced[requestId] = outputTokens;
        const usage = { outputTokens, cachedTokens: record.cachedTokens };
        this.#notices.push(() => {
          // Until it hears of the end, a policy may take it for running and try to stop it.
          this.#move(requestId, 'ended');
          this.#policy.finished?.(requestId, replica, usage);
        });
      },
      aborted: ({ requestId }, _atMs, produced) => {
        this.#record(requestId).preemptions += 1;
        this.#produced[requestId] = produced;
        this.#move(requestId, 'held');
        this.#notices.push(() => this.#policy.aborted?.(requestId, replica, produced));
      },
    };
  }

  #move(requestId: number, place: Place): void {
    if (place === 'held') this.#held.add(requestId);
    else this.#held.delete(requestId);
    this.#places[requestId] = place;
  }

  #watchIdle(toMs: number): void {
    const replicas = new Map<number, ReplicaTruth>();
    for (const [index, replica] of this.#fleet.entries()) {
      if (replica.nextMs === Infinity) replicas.set(index, replica);
    }
    if (replicas.size === 0) return;
    const fromMs = this.nowMs;
    this.#idleWhileHeldMs += (toMs - fromMs) * replicas.size;
    this.#onIdle?.({ fromMs, toMs, replicas, held: this.#held });
  }

  #tellAll(): void {
    for (let at = 0; at < this.#notices.length; at += 1) this.#notices[at]?.();
    this.#notices.length = 0;
  }

  #take(requestId: number, place: Place, verb: string): TraceRequest {
    const request = this.#trace[requestId];
    const actual = this.#places[requestId] ?? 'unknown';
    if (request === undefined || actual !== place) {
      throw new Error(`the policy cannot ${verb} request ${requestId}: it is ${actual}`);
    }
    return request;
  }

  #record(requestId: number): RequestRecord {
    const record = this.#records[requestId];
    if (record === undefined) throw new RangeError(`there is no request ${requestId}`);
    return record;
  }

  #replica(index: number): Replica {
    const replica = this.#fleet[index];
    if (replica === undefined) throw new RangeError(`there is no replica ${index}`);
    return replica;
  }

  #result(): RunResult {
    const unanswered = this.#places.filter((place) => place !== 'ended').length;
    if (unanswered > 0) throw new Error(`the policy left ${unanswered} requests unanswered`);
    return {
      records: this.#records,
      busyMs: this.#fleet.map((replica) => replica.busyMs),
      endMs: this.nowMs,
      idleWhileHeldMs: this.#idleWhileHeldMs,
    };
  }
}
