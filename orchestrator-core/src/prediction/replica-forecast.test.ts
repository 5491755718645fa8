import { describe, expect, test } from 'vitest';
import { LatencyModel } from './latency-model.ts';
import { ReplicaForecast } from './replica-forecast.ts';
import { CHUNK_TOKENS, seededChance, stepMs } from './testing/engine-fixture.ts';

interface Prompt {
  readonly id: string;
  readonly cached: number;
  /** Tokens still to compute. */
  left: number;
  done: number;
  tokensOut: number;
  readonly tokensWanted: number;
}

/** An engine that prefills in order of arrival, in chunks, beside its decodes, one step at a time. */
class TinyEngine {
  readonly forecast: ReplicaForecast;
  readonly #prompts: Prompt[] = [];
  #decodes: Prompt[] = [];
  nowMs = 0;

  constructor(forecast: ReplicaForecast) {
    this.forecast = forecast;
  }

  submit(id: string, uncached: number, cached: number, tokensWanted: number): void {
    this.#prompts.push({ id, cached, left: uncached, done: 0, tokensOut: 0, tokensWanted });
  }

  get isIdle(): boolean {
    return this.#prompts.length === 0 && this.#decodes.length === 0;
  }

  /**
   * Runs one step, and tells the forecast what a router sees of it.
   * @param beforeEnd may dispatch what comes while the step runs
   * @returns whose first tokens came
   */
  step(beforeEnd: (endMs: number) => void): string[] {
    const prompts = [...this.#prompts];
    let room = CHUNK_TOKENS - this.#decodes.length;
    let tokens = this.#decodes.length;
    let pairs = 0;
    for (const prompt of prompts) {
      const part = Math.min(room, prompt.left);
      pairs += part * (prompt.cached + prompt.done + part / 2);
      prompt.left -= part;
      prompt.done += part;
      tokens += part;
      room -= part;
    }
    let decodeContext = 0;
    for (const each of this.#decodes) decodeContext += each.cached + each.done + each.tokensOut;
    const endMs =
      this.nowMs + stepMs({ tokens, decoding: this.#decodes.length, decodeContext, pairs });
    beforeEnd(endMs);
    this.nowMs = endMs;
    for (const decode of this.#decodes) {
      decode.tokensOut += 1;
      this.forecast.progress(decode.id, decode.tokensOut, endMs);
    }
    const started = prompts.filter(({ left }) => left === 0);
    this.#prompts.splice(0, started.length);
    for (const prompt of started) {
      prompt.tokensOut = 1;
      this.forecast.firstToken(prompt.id, endMs);
      this.#decodes.push(prompt);
    }
    for (const { id, tokensOut, tokensWanted } of this.#decodes) {
      if (tokensOut >= tokensWanted) this.forecast.ended(id, endMs);
    }
    this.#decodes = this.#decodes.filter((each) => each.tokensOut < each.tokensWanted);
    return started.map(({ id }) => id);
  }
}

/** Relative errors of the forecasts while prompts of all lengths come at random. */
function errorsOf(seed: number, prompts: number): number[] {
  const chance = seededChance(seed);
  const forecast = new ReplicaForecast(new LatencyModel());
  const engine = new TinyEngine(forecast);
  const forecasts = new Map<string, { atMs: number; ms: number }>();
  const errors: number[] = [];
  let arrived = 0;
  let nextMs = 0;
  const arrive = () => {
    const uncached = Math.ceil(chance.between(50, 20_000));
    const cached = chance.uniform() < 0.5 ? 0 : Math.ceil(chance.uniform() * 8_000);
    const id = `t${arrived}`;
    forecasts.set(id, { atMs: nextMs, ms: forecast.firstTokenMs(uncached, cached, nextMs) });
    forecast.dispatched(id, uncached, cached, nextMs);
    engine.submit(id, uncached, cached, Math.ceil(chance.between(2, 200)));
    arrived += 1;
    nextMs += -Math.log(1 - chance.uniform()) * 900;
  };
  while (arrived < prompts || !engine.isIdle) {
    if (engine.isIdle) {
      engine.nowMs = nextMs;
      arrive();
    }
    const started = engine.step((endMs) => {
      while (arrived < prompts && nextMs < endMs) arrive();
    });
    for (const id of started) {
      const { atMs, ms } = forecasts.get(id) ?? { atMs: NaN, ms: NaN };
      errors.push(Math.abs(ms / (engine.nowMs - atMs) - 1));
    }
  }
  return errors;
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Infinity;
}

test('first tokens are forecast within 2 % in the median and 15 % in nine of ten cases', () => {
  for (const seed of [1, 2, 3]) {
    const errors = errorsOf(seed, 600).slice(100);
    expect(quantile(errors, 0.5)).toBeLessThan(0.02);
    expect(quantile(errors, 0.9)).toBeLessThan(0.15);
  }
});

describe('a line of prompts', () => {
  const lone = (uncached: number) =>
    new ReplicaForecast(new LatencyModel()).firstTokenMs(uncached, 0, 0);

  test('shares iterations: small prompts at once take hardly longer than one', () => {
    const forecast = new ReplicaForecast(new LatencyModel());
    for (let i = 0; i < 4; i++) forecast.dispatched(`t${i}`, 50, 0, 0);
    expect(forecast.firstTokenMs(50, 0, 0)).toBeLessThan(1.2 * lone(250));
  });

  test('counts what is before it, less and less as time goes by', () => {
    const forecast = new ReplicaForecast(new LatencyModel());
    forecast.dispatched('long', 40_000, 0, 0);
    const atOnce = forecast.firstTokenMs(100, 0, 0);
    expect(atOnce).toBeGreaterThan(lone(40_000));
    const passed = atOnce - forecast.firstTokenMs(100, 0, 2_000);
    expect(passed).toBeGreaterThan(1_800);
    expect(passed).toBeLessThan(2_200);
  });

  test('is never thought done before its first token came', () => {
    const forecast = new ReplicaForecast(new LatencyModel());
    forecast.dispatched('late', 500, 0, 0);
    expect(forecast.firstTokenMs(2_000, 0, 60_000)).toBeGreaterThan(0.9 * lone(2_000));
  });

  test('loses the work of a task that leaves early', () => {
    const forecast = new ReplicaForecast(new LatencyModel());
    forecast.dispatched('gone', 40_000, 0, 0);
    forecast.ended('gone', 1);
    expect(forecast.firstTokenMs(100, 0, 10)).toBeCloseTo(lone(100));
  });
});

describe('learning', () => {
  const samplesAfter = (mayBeHeld: boolean) => {
    const forecast = new ReplicaForecast(new LatencyModel());
    for (let i = 0; i < 20; i++) {
      const atMs = i * 100_000;
      forecast.dispatched(`t${i}`, 1_000, 0, atMs, mayBeHeld);
      forecast.firstToken(`t${i}`, atMs + 30_000);
      forecast.ended(`t${i}`, atMs + 30_000);
    }
    return forecast.model.samples;
  };

  test('takes nothing from prompts that the engine may have held back for memory', () => {
    expect(samplesAfter(true)).toBe(0);
    expect(samplesAfter(false)).toBeGreaterThan(15);
  });

  test('takes prompts whose first tokens come together as one sample', () => {
    const forecast = new ReplicaForecast(new LatencyModel());
    const together = ['a', 'b', 'c'];
    for (const id of together) forecast.dispatched(id, 300, 0, 0);
    for (const [i, id] of together.entries()) forecast.firstToken(id, 80 + i);
    forecast.dispatched('d', 300, 0, 200);
    forecast.firstToken('d', 230);
    expect(forecast.model.samples).toBe(1);
  });

  test('is not misled by prompts that came while the first one was held back', () => {
    const forecast = new ReplicaForecast(new LatencyModel());
    const before = forecast.firstTokenMs(1_000, 0, 0);
    for (let round = 0; round < 30; round++) {
      const atMs = round * 100_000;
      forecast.dispatched(`held-${round}`, 500, 0, atMs, true);
      forecast.dispatched(`later-${round}`, 500, 0, atMs + 5_000);
      for (const each of ['held', 'later']) forecast.firstToken(`${each}-${round}`, atMs + 30_000);
      for (const each of ['held', 'later']) forecast.ended(`${each}-${round}`, atMs + 30_000);
    }
    expect(forecast.firstTokenMs(1_000, 0, 1e7)).toBeCloseTo(before);
  });

  test('takes nothing from a prompt that another overtook', () => {
    const forecast = new ReplicaForecast(new LatencyModel());
    forecast.dispatched('overtaken', 20_000, 0, 0);
    forecast.dispatched('first', 100, 0, 0);
    forecast.firstToken('first', 20);
    forecast.firstToken('overtaken', 2_000);
    forecast.dispatched('next', 300, 0, 3_000);
    forecast.firstToken('next', 3_040);
    expect(forecast.model.samples).toBe(0);
  });

  test('takes nothing from news of tasks that are not there', () => {
    const forecast = new ReplicaForecast(new LatencyModel());
    forecast.firstToken('nobody', 5);
    forecast.progress('nobody', 3, 6);
    forecast.ended('nobody', 7);
    expect(forecast.model.samples).toBe(0);
    expect(forecast.load(10)).toEqual({ decoding: 0, decodeContext: 0, sinceTokenMs: undefined });
  });
});

test('OC-CORE-1095 a step that is overdue is expected to take as much longer as it is late', () => {
  const forecast = new ReplicaForecast(new LatencyModel());
  forecast.dispatched('stuck', 1_000, 0, 0);
  const dueMs = forecast.firstTokenMs(1, 0, 1) + 1;
  const nextMs = (nowMs: number) => forecast.firstTokenMs(1, 0, nowMs);
  expect(nextMs(dueMs + 10)).toBeLessThan(dueMs);
  expect(nextMs(dueMs + 5_000)).toBeGreaterThan(4_500);
  expect(nextMs(dueMs + 10_000)).toBeGreaterThan(nextMs(dueMs + 5_000) + 4_500);
});

test('the load follows first tokens, progress and ends', () => {
  const forecast = new ReplicaForecast(new LatencyModel());
  forecast.dispatched('a', 100, 50, 0);
  forecast.firstToken('a', 20);
  forecast.progress('a', 11, 40);
  expect(forecast.load(45)).toEqual({ decoding: 1, decodeContext: 161, sinceTokenMs: 5 });
  forecast.ended('a', 50);
  expect(forecast.load(50)).toMatchObject({ decoding: 0, decodeContext: 0 });
});
