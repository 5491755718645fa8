import { expect, test } from 'vitest';
import type { GenerationEnd } from './generation.ts';
import { createEngineMetrics } from './metrics.ts';

const end: GenerationEnd = {
  stopType: 'eos',
  stoppingWord: '',
  truncated: false,
  cachedTokens: 16,
  predicted: 10,
  heldTokens: 49,
  hasNewLine: false,
  promptMs: 50,
  predictedMs: 20,
};
const read = (text: string, name: string) =>
  Number(new RegExp(`^llamacpp:${name} (.*)$`, 'm').exec(text)?.[1]);

test('counters add up what generations told, cached tokens apart', () => {
  const metrics = createEngineMetrics();
  metrics.finished(40, end);
  metrics.finished(40, end);
  metrics.decoded(1);
  metrics.decoded(2);
  const text = metrics.render({ processing: 1, deferred: 3 });
  expect(read(text, 'prompt_tokens_total')).toBe(48);
  expect(read(text, 'prompt_tokens_cached_total')).toBe(32);
  expect(read(text, 'prompt_seconds_total')).toBe(0.1);
  expect(read(text, 'tokens_predicted_total')).toBe(20);
  expect(read(text, 'n_decode_total')).toBe(2);
  expect(read(text, 'n_tokens_max')).toBe(49);
  expect(read(text, 'requests_processing')).toBe(1);
  expect(read(text, 'requests_deferred')).toBe(3);
  expect(read(text, 'n_busy_slots_per_decode')).toBe(1.5);
});

test('rate gauges cover the time since the last scrape', () => {
  const metrics = createEngineMetrics();
  metrics.finished(40, end);
  const gauges = { processing: 0, deferred: 0 };
  expect(read(metrics.render(gauges), 'predicted_tokens_seconds')).toBe(500);
  expect(read(metrics.render(gauges), 'predicted_tokens_seconds')).toBe(0);
  metrics.finished(40, { ...end, predictedMs: 10 });
  expect(read(metrics.render(gauges), 'predicted_tokens_seconds')).toBe(1000);
});
