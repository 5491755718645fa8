import { expect, test } from 'vitest';
import { LatencyModel } from './latency-model.ts';
import { PromptTransit } from './prompt-transit.ts';
import { seededChance } from './testing/engine-fixture.ts';

const LOAD = { decoding: 0, decodeContext: 0 } as const;

interface Engine {
  /** Of every prompt, and per token of it, ms. */
  readonly wayMs: number;
  readonly tokenMs: number;
  readonly lengths?: (n: number) => number;
  /** Width of what a prompt takes more or less, as a share of its time. */
  readonly noise?: number;
  readonly seed?: number;
}

/** Prompts one after another, each alone. @returns how long the last of two keeps the next away, ms */
function spacingAfter(
  prompts: number,
  { wayMs, tokenMs, lengths, noise = 0.1, seed = 7 }: Engine,
  held = false,
): number {
  const model = new LatencyModel();
  const transit = new PromptTransit(model);
  const chance = seededChance(seed);
  let nowMs = 0;
  const tokensOf = lengths ?? (() => 50 + Math.round(2_000 * chance.uniform()));
  for (let n = 0; n < prompts; n += 1) {
    const uncachedTokens = tokensOf(n);
    const ms = (wayMs + tokenMs * uncachedTokens) * (1 + noise * (chance.uniform() - 0.5));
    const prompt = { uncachedTokens, cachedTokens: 0 };
    const isOnTheWay = transit.dispatched(`t${n}`, prompt, LOAD, held, nowMs);
    nowMs += ms;
    if (!isOnTheWay) {
      const pairs = uncachedTokens ** 2 / 2;
      model.observePrefill({ tokens: uncachedTokens, pairs, fromIdle: true }, LOAD, ms);
    }
    transit.firstToken(`t${n}`, nowMs);
    nowMs += 1_000;
  }
  transit.dispatched('last', { uncachedTokens: 1_000, cachedTokens: 0 }, LOAD, false, nowMs);
  return transit.isActive ? transit.drainMs(nowMs) : Infinity;
}

test('a prompt to a distant engine keeps the next away only for what is computed of it', () => {
  expect(spacingAfter(40, { wayMs: 400, tokenMs: 0 })).toBeLessThan(60);
  const halfMs = spacingAfter(40, { wayMs: 800, tokenMs: 0.1 });
  expect(halfMs).toBeGreaterThan(60);
  expect(halfMs).toBeLessThan(200);
});

test('an engine that computes for most of the time is no distant one', () => {
  expect(spacingAfter(40, { wayMs: 5, tokenMs: 0.2 })).toBe(Infinity);
  expect(spacingAfter(40, { wayMs: 40, tokenMs: 1 })).toBe(Infinity);
});

test('too few prompts, prompts of one length, or prompts held up by something else tell nothing', () => {
  expect(spacingAfter(4, { wayMs: 400, tokenMs: 0 })).toBe(Infinity);
  expect(spacingAfter(40, { wayMs: 400, tokenMs: 0, lengths: () => 500 })).toBe(Infinity);
  expect(spacingAfter(40, { wayMs: 400, tokenMs: 0 }, true)).toBe(Infinity);
});

test('few times that differ by themselves are hardly ever taken for a distant engine', () => {
  const seeds = Array.from({ length: 40 }, (_, index) => index + 1);
  const engine = { wayMs: 400, tokenMs: 0, noise: 1.9 };
  const believed = seeds.filter((seed) => spacingAfter(9, { ...engine, seed }) < Infinity);
  expect(believed.length).toBeLessThanOrEqual(4);
});

test('one that never answers is forgotten with its task', () => {
  const transit = new PromptTransit(new LatencyModel());
  transit.dispatched('a', { uncachedTokens: 10, cachedTokens: 0 }, LOAD, false, 0);
  transit.ended('a');
  transit.firstToken('a', 10);
  expect(transit.isActive).toBe(false);
});
