/**
 * All that is learned of one pool: how fast its replicas are, how long the outputs of its tasks become,
 * how fast it frees slots, and how wrong its own forecasts were.
 */
import { DrainRate, type SavedDrain } from './prediction/drain-rate.ts';
import { WaitIntervals, waitBucket, type SavedIntervals } from './prediction/interval.ts';
import { LatencyModel, prefillWork, type SavedLatency } from './prediction/latency-model.ts';
import { Overtaking } from './prediction/overtaking.ts';
import { OutputLengths, type SavedLengths } from './prediction/output-lengths.ts';
import { PromptScale, type SavedScale } from './prediction/prompt-scale.ts';
import { fieldsOf, isCount, isWithin } from './prediction/saved-values.ts';
import type { Tuning } from './tuning.ts';
import type { TaskSpec, Usage } from './types.ts';

/** What a task is expected to need. */
export interface TaskEstimate {
  readonly promptTokens: number;
  /** Of them, what no replica is believed to have cached. */
  readonly uncachedTokens: number;
  readonly outputTokens: number;
  /** On a replica of mean speed without other prompts, ms. */
  readonly prefillMs: number;
  readonly decodeMs: number;
  readonly holdMs: number;
}

export const NO_ESTIMATE: TaskEstimate = {
  promptTokens: 1,
  uncachedTokens: 1,
  outputTokens: 1,
  prefillMs: 1,
  decodeMs: 1,
  holdMs: 1,
};

/** For operators. */
export interface PoolLearning {
  readonly samples: number;
  readonly meanHoldMs: number;
}

export interface SavedPoolModel {
  readonly latency: SavedLatency;
  readonly lengths: SavedLengths;
  readonly scale: SavedScale;
  readonly drain: SavedDrain;
  readonly intervals: Readonly<Record<ForecastKind, SavedIntervals>>;
  readonly holdMs: number;
  readonly tokenMs: number | null;
  readonly samples: number;
}

/** Forecasts that are wrong in ways of their own. */
export type FirstTokenKind =
  /** Of a task that starts at once. */
  | 'now'
  /** Of one that waits. */
  | 'queued'
  /** Of one that waits, and that others who come later will pass. */
  | 'passed'
  /** Of one that waits for its model to be loaded. */
  | 'unloaded';
export type ForecastKind = FirstTokenKind | 'end';
const FORECAST_KINDS: readonly ForecastKind[] = ['now', 'queued', 'passed', 'unloaded', 'end'];

const MEAN_WEIGHT = 0.05;
/** No task holds a slot longer. */
const MOST_MS = 1e12;
const IDLE = { decoding: 0, decodeContext: 0 } as const;

export class PoolModel {
  readonly #tuning: Tuning;
  readonly #replicas = new Map<string, LatencyModel>();
  /** Learns with every replica's model; a new one starts from it. */
  readonly #latency: LatencyModel;
  readonly #lengths = new OutputLengths();
  readonly #scale = new PromptScale();
  readonly #drain = new DrainRate();
  /** Each kind for itself: a burst that makes waits longer says nothing of how fast the replicas are. */
  readonly #intervals: Readonly<Record<ForecastKind, WaitIntervals>> = {
    now: new WaitIntervals(),
    queued: new WaitIntervals({ areBursty: true }),
    passed: new WaitIntervals({ areBursty: true }),
    unloaded: new WaitIntervals({ areBursty: true }),
    end: new WaitIntervals(),
  };
  /** Of the moment only: after a restart it is learned within a minute or so. */
  readonly overtaking = new Overtaking();
  #holdMs: number;
  /** From first to last token, per token; undefined until a task with two of them has ended. */
  #tokenMs: number | undefined;
  #samples = 0;
  #lastEstimate:
    | {
        readonly spec: TaskSpec;
        readonly cachedTokens: number;
        readonly estimate: TaskEstimate;
      }
    | undefined;

  constructor(tuning: Tuning) {
    this.#tuning = tuning;
    this.#latency = new LatencyModel(tuning.latency);
    this.#holdMs = tuning.initialHoldMs;
  }

  /** Completed tasks seen. */
  get samples(): number {
    return this.#samples;
  }

  /** Mean time that a task holds a slot, ms. */
  get holdMs(): number {
    return this.#holdMs;
  }

  get tokensPerByte(): number {
    return this.#scale.tokensPerByte;
  }

  /** Of a prompt on an idle replica of mean speed, ms. */
  prefillMs(uncachedTokens: number, cachedTokens: number): number {
    return this.#latency.prefillMs(prefillWork(uncachedTokens, cachedTokens), IDLE);
  }

  /** The model of one replica; a new one starts from what the pool knows. */
  latencyOf(replicaId: string): LatencyModel {
    let model = this.#replicas.get(replicaId);
    if (model === undefined) {
      model = LatencyModel.startingFrom(this.#latency);
      this.#replicas.set(replicaId, model);
    }
    return model;
  }

  /** The replica is lost. What it taught stays with the pool. */
  forget(replicaId: string): void {
    this.#replicas.delete(replicaId);
  }

  /** @param cachedTokens the best that any replica has of the prompt */
  estimate(spec: TaskSpec, cachedTokens: number): TaskEstimate {
    const last = this.#lastEstimate;
    // Admission asks and the queue asks again, in one step.
    if (last?.spec === spec && last.cachedTokens === cachedTokens) return last.estimate;
    const estimate = this.#estimate(spec, cachedTokens);
    this.#lastEstimate = { spec, cachedTokens, estimate };
    return estimate;
  }

  #estimate(spec: TaskSpec, cachedTokens: number): TaskEstimate {
    const promptTokens = this.#scale.promptTokens(spec.promptTokens, spec.promptTokensExact);
    const cached = Math.max(0, Math.min(cachedTokens, promptTokens - 1));
    const uncachedTokens = Math.max(1, promptTokens - cached);
    const outputTokens = spec.answersWhole ? 0 : this.#lengths.expect(spec).mean;
    const prefillMs = this.prefillMs(uncachedTokens, cached);
    const alone = { decoding: 1, decodeContext: promptTokens };
    const decodeMs = outputTokens * (this.#tokenMs ?? this.#latency.tokenMs(alone));
    const holdMs = prefillMs + decodeMs;
    return { promptTokens, uncachedTokens, outputTokens, prefillMs, decodeMs, holdMs };
  }

  /**
   * What was forecast, and what came of it, ms from the moment of the forecast.
   * @param given the interval that was told with it
   */
  observeForecast(
    kind: ForecastKind,
    forecastMs: number,
    actualMs: number,
    given?: [lowMs: number, highMs: number],
  ): void {
    this.#intervals[kind].observe(forecastMs, actualMs, keyOf(kind, forecastMs), given);
  }

  observeEnd(spec: TaskSpec, usage: Usage, isCutOff: boolean, holdMs: number): void {
    this.#samples += 1;
    this.#lastEstimate = undefined;
    const weight = Math.max(1 / this.#samples, MEAN_WEIGHT);
    this.#holdMs += weight * (holdMs - this.#holdMs);
    if (usage.tokensOut > 1) {
      const tokenMs = usage.decodeMs / (usage.tokensOut - 1);
      const before = this.#tokenMs ?? tokenMs;
      this.#tokenMs = before + weight * (tokenMs - before);
    }
    this.#lengths.observe(spec, usage.tokensOut, isCutOff);
    // Engines that do not count say 0.
    if (!spec.promptTokensExact && usage.tokensIn > 0) {
      this.#scale.observe(spec.promptTokens, usage.tokensIn);
    }
  }

  /** A slot was freed, however its task ended. */
  observeFreed(nowMs: number, isWaitedFor: boolean): void {
    this.#drain.freed(nowMs, isWaitedFor);
  }

  /** The range that holds the actual wait eight times in ten, ms. */
  interval(kind: ForecastKind, forecastMs: number): readonly [lowMs: number, highMs: number] {
    return this.#intervals[kind].interval(forecastMs, keyOf(kind, forecastMs));
  }

  /** Chance that what is forecast happens within `leftMs`. */
  onTimeProbability(kind: ForecastKind, forecastMs: number, leftMs: number): number {
    return this.#intervals[kind].probabilityWithin(forecastMs, leftMs, keyOf(kind, forecastMs));
  }

  /** When one more task will fit, whole ms, at least 1. */
  retryAfterMs(slots: number, nowMs: number): number {
    const freeMs = this.#drain.msUntilFree(1, nowMs, { holdMs: this.#holdMs, slots });
    return Math.max(1, Math.min(this.#tuning.maxRetryAfterMs, Math.ceil(freeMs)));
  }

  learned(): PoolLearning {
    return { samples: this.#samples, meanHoldMs: this.#holdMs };
  }

  save(): SavedPoolModel {
    return {
      latency: this.#latency.save(),
      lengths: this.#lengths.save(),
      scale: this.#scale.save(),
      drain: this.#drain.save(),
      intervals: {
        now: this.#intervals.now.save(),
        queued: this.#intervals.queued.save(),
        passed: this.#intervals.passed.save(),
        unloaded: this.#intervals.unloaded.save(),
        end: this.#intervals.end.save(),
      },
      holdMs: this.#holdMs,
      tokenMs: this.#tokenMs ?? null,
      samples: this.#samples,
    };
  }

  /**
   * Goes on from what another one saved; a part that is damaged or unknown keeps its start.
   * @returns the names of those parts
   */
  load(saved: unknown): readonly string[] {
    const { latency, lengths, scale, drain, intervals, ...holds } = fieldsOf(saved);
    this.#lastEstimate = undefined;
    const isLoaded: Readonly<Record<string, boolean>> = {
      latency: this.#latency.load(latency),
      lengths: this.#lengths.load(lengths),
      scale: this.#scale.load(scale),
      drain: this.#drain.load(drain),
      intervals: this.#loadIntervals(intervals),
      holds: this.#loadHolds(holds),
    };
    return Object.keys(isLoaded).filter((part) => isLoaded[part] === false);
  }

  #loadIntervals(saved: unknown): boolean {
    const fields = fieldsOf(saved);
    const areLoaded = FORECAST_KINDS.map((kind) => this.#intervals[kind].load(fields[kind]));
    return areLoaded.every(Boolean);
  }

  #loadHolds({ holdMs, tokenMs, samples }: Readonly<Record<string, unknown>>): boolean {
    if (!isWithin(holdMs, 0, MOST_MS) || !isCount(samples)) return false;
    if (tokenMs !== null && !isWithin(tokenMs, 0, MOST_MS)) return false;
    this.#holdMs = holdMs;
    this.#tokenMs = tokenMs ?? undefined;
    this.#samples = samples;
    return true;
  }
}

/** Errors of waits come from what comes after them, which has little to do with their length. */
function keyOf(kind: ForecastKind, forecastMs: number): string {
  const isWait = kind === 'queued' || kind === 'passed';
  return isWait ? '' : waitBucket(forecastMs);
}
