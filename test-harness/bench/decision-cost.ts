/**
 * What a decision of the scheduler's core costs with a long queue, many replicas and long prompts, and
 * what a waiting task costs in memory: the core alone, in this process, on virtual time. A decision is
 * what becomes of one task: a step that takes one in is one, a step that dispatches several is as many.
 * Hashing a prompt is not part of it; that is done once, as the prompt is read.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createCore,
  type Command,
  type Core,
  type Effect,
  type PromptPrefix,
  type TaskSpec,
} from '@llama-orch/orchestrator-core';
import type { Bench, Row } from './bench.ts';
import { percentile, spread } from './statistics.ts';

const REPLICAS = 64;
const SLOTS = 16;
const QUEUED = 10_000;
const MANY_QUEUED = 1_000_000;
const TENANTS = 8;
const PROMPT_TOKENS = 100_000;
/** Places at which the beginnings of such a prompt are known, with blocks of about 64 tokens. */
const PLACES = 212;
const BLOCK_TOKENS = 64;
/** Prompts of one family share all but the last of their places. */
const FAMILIES = 500;
const OUTPUT_TOKENS = 3;
const POOL_ID = 'bench';

interface Running {
  readonly taskId: string;
  readonly attempt: number;
  tokensOut: number;
}

const STEP_KINDS = ['admission', 'token', 'finish', 'timer'] as const;
type StepKind = (typeof STEP_KINDS)[number];

interface TimedStep {
  readonly kind: StepKind;
  readonly dispatches: number;
  readonly ms: number;
}

/** A core with its replicas and its queue, and the times that its steps took. */
class Fleet {
  readonly steps: TimedStep[] = [];
  readonly #core: Core;
  readonly #running: Running[] = [];
  #draw = 1;
  #nowMs = 0;
  #made = 0;

  constructor(replicas: number) {
    this.#core = createCore({ sessionLimits: { ttlMs: 600_000, maxTurns: 100 } });
    this.#step({
      type: 'pool-set',
      pool: {
        poolId: POOL_ID,
        engine: 'vllm',
        capacity: 2 * MANY_QUEUED,
        classCapacity: {},
        fullPolicy: 'reject',
        wallMs: 1e12,
        idleMs: 1e12,
        ctx: 1e6,
        device: 'gpu',
        maxAttempts: 3,
        classWeights: { interactive: 8, batch: 1 },
        preemption: 'soft',
        maxPreemptions: 3,
      },
    });
    for (let index = 0; index < replicas; index += 1) {
      this.#step({
        type: 'replica-set',
        replica: {
          replicaId: `r${String(index).padStart(2, '0')}`,
          poolId: POOL_ID,
          setId: 'set',
          slots: SLOTS,
          ctx: 1e6,
          ready: true,
          cacheTokens: 3e6,
          chunkTokens: 2_048,
        },
      });
    }
  }

  get queued(): number {
    return this.#core.poolView(POOL_ID)?.waiting.interactive ?? 0;
  }

  admit(promptTokens: number, prefix?: PromptPrefix): void {
    const taskId = `t${this.#made}`;
    this.#made += 1;
    const task: TaskSpec = {
      taskId,
      poolId: POOL_ID,
      tenantId: `tenant${Math.floor(this.#chance() * TENANTS)}`,
      priority: 'interactive',
      sessionId: undefined,
      promptTokens,
      promptTokensExact: true,
      maxTokens: 1_000,
      expectedTokens: undefined,
      ctx: undefined,
      deadlineAtMs: undefined,
      rerunnable: true,
      kvHint: 'reuse',
      ...(prefix === undefined ? {} : { prefix }),
    };
    this.#time('admission', { type: 'admit', task });
  }

  admitLong(): void {
    const family = Math.floor(this.#chance() * FAMILIES);
    const hashes = Array.from({ length: PLACES }, (_, place) => family * 1_000_003 + place * 7_919);
    hashes[PLACES - 1] = this.#made;
    this.admit(PROMPT_TOKENS, {
      blockTokens: BLOCK_TOKENS,
      hashes: hashes.map((hash) => hash | 0),
    });
  }

  /** A hundredth of a second passes, and one thing happens at the replicas. */
  happen(): void {
    this.#nowMs += 10;
    if (this.#isTimerDue()) this.#time('timer', { type: 'tick' });
    const at = Math.floor(this.#chance() * this.#running.length);
    const running = this.#running[at];
    if (running === undefined) return;
    const { taskId, attempt } = running;
    if (running.tokensOut < OUTPUT_TOKENS) {
      running.tokensOut += 1;
      const { tokensOut } = running;
      return this.#time('token', { type: 'progress', taskId, attempt, tokensOut });
    }
    this.#running.splice(at, 1);
    this.#time('finish', {
      type: 'finish',
      taskId,
      attempt,
      finishReason: 'stop',
      usage: {
        tokensIn: PROMPT_TOKENS,
        tokensOut: OUTPUT_TOKENS,
        cachedTokens: PROMPT_TOKENS / 2,
        decodeMs: 100,
      },
    });
  }

  forgetTimes(): void {
    this.steps.length = 0;
  }

  #isTimerDue(): boolean {
    return (this.#core.nextWakeMs() ?? Infinity) <= this.#nowMs;
  }

  /** Park and Miller's generator, so that every run sees the same. */
  #chance(): number {
    this.#draw = (this.#draw * 48_271) % 2_147_483_647;
    return this.#draw / 2_147_483_647;
  }

  #time(kind: StepKind, command: Command): void {
    const beganMs = performance.now();
    const { effects } = this.#core.step(command, this.#nowMs);
    const ms = performance.now() - beganMs;
    this.steps.push({ kind, dispatches: this.#run(effects), ms });
  }

  #step(command: Command): void {
    this.#run(this.#core.step(command, this.#nowMs).effects);
  }

  #run(effects: readonly Effect[]): number {
    let dispatches = 0;
    for (const effect of effects) {
      if (effect.type !== 'dispatch') continue;
      const { taskId, attempt } = effect;
      this.#running.push({ taskId, attempt, tokensOut: 0 });
      dispatches += 1;
    }
    return dispatches;
  }
}

/** Every call takes the same steps, so that several tell the work from the noise. */
function timeSteps(events: number): readonly TimedStep[] {
  const fleet = new Fleet(REPLICAS);
  const fill = () => {
    while (fleet.queued < QUEUED) fleet.admitLong();
  };
  const happen = (count: number) => {
    for (let n = 0; n < count; n += 1) {
      fleet.happen();
      fill();
    }
  };
  fill();
  happen(events / 2);
  fleet.forgetTimes();
  happen(events);
  return fleet.steps;
}

function rowsOf(rounds: readonly (readonly TimedStep[])[]): readonly Row[] {
  const overRounds = (timesIn: (steps: readonly TimedStep[]) => readonly number[], share: number) =>
    spread(rounds.map((steps) => percentile(timesIn(steps), share)));
  const step = (measure: string, pick: (step: TimedStep) => boolean): Row => ({
    measure,
    unit: 'ms',
    value: overRounds((steps) => timesOf(steps.filter(pick)), 0.99),
  });
  const best = percentile(decisionTimes(leastOf(rounds)), 0.99);
  return [
    { measure: 'a decision, median', unit: 'ms', value: overRounds(decisionTimes, 0.5) },
    {
      measure: 'a decision, p99',
      unit: 'ms',
      value: overRounds(decisionTimes, 0.99),
      target: { bound: 'at most', value: 0.3 },
    },
    { measure: 'p99 of each at its quickest', unit: 'ms', value: spread([best]) },
    step('any step, p99', () => true),
    ...STEP_KINDS.map((kind) => step(`a step on ${kind}, p99`, (each) => each.kind === kind)),
  ];
}

/** The time of a step, in equal parts, for each task that it decided on. */
function decisionTimes(steps: readonly TimedStep[]): readonly number[] {
  return steps.flatMap(({ kind, dispatches, ms }) => {
    const decisions = Math.max(dispatches, kind === 'admission' ? 1 : 0);
    return Array.from({ length: decisions }, () => ms / decisions);
  });
}

function timesOf(steps: readonly TimedStep[]): readonly number[] {
  return steps.map(({ ms }) => ms);
}

/** What each step took in the round in which it was quickest. */
function leastOf(rounds: readonly (readonly TimedStep[])[]): readonly TimedStep[] {
  const [first = [], ...others] = rounds;
  return first.map((step, index) => ({
    ...step,
    ms: Math.min(step.ms, ...others.map((round) => round[index]?.ms ?? Infinity)),
  }));
}

/** Without replicas there is nothing to decide. */
function weighTasks(count: number): Row {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const fleet = new Fleet(0);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < count; n += 1) {
    fleet.admit(500);
    fleet.forgetTimes();
  }
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / fleet.queued;
  return {
    measure: `a waiting task, of ${count}`,
    unit: 'bytes',
    value: spread([bytes]),
    target: { bound: 'at most', value: 1_024 },
  };
}

export const decisionCost: Bench = {
  name: 'decision-cost',
  about: `a decision of the core with ${QUEUED} waiting for ${REPLICAS} replicas; memory of ${MANY_QUEUED}`,
  run(context) {
    const rounds = context.quick ? 2 : 5;
    const events = context.quick ? 1_000 : 8_000;
    const timed = Array.from({ length: rounds }, () => timeSteps(events));
    const weight = weighTasks(context.quick ? 20_000 : MANY_QUEUED);
    return Promise.resolve([...rowsOf(timed), weight]);
  },
};
