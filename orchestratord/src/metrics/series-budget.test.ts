import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import {
  boundedCounter,
  boundedGauge,
  boundedHistogram,
  MAX_SERIES,
  OTHER,
} from './series-budget.ts';

const registry = new Registry();
const options = (name: string) => ({
  name,
  help: 'Of a test.',
  labelNames: ['pool_id', 'replica_id'] as const,
  registers: [registry],
});
const labelsOf = (n: number) => ({ pool_id: 'p', replica_id: `p-0.${n}` });
const MANY = 10_000;

async function seriesOf(name: string) {
  const lines = (await registry.getSingleMetricAsString(name)).split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

test('OC-METRICS-7111 a counter keeps its sum beyond its budget, in one more series', async () => {
  const counter = boundedCounter(options('counted'));
  for (let n = 0; n < MANY; n += 1) counter.inc(labelsOf(n), 2);
  counter.inc(labelsOf(0), 3);
  const series = await seriesOf('counted');
  expect(series).toHaveLength(MAX_SERIES);
  const values = series.map((line) => Number(line.split(' ').at(-1)));
  expect(values.reduce((sum, value) => sum + value)).toBe(2 * MANY + 3);
  expect(series[0]).toBe('counted{pool_id="p",replica_id="p-0.0"} 5');
  expect(series.at(-1)).toContain(`{pool_id="${OTHER}",replica_id="${OTHER}"}`);
});

test('OC-METRICS-7111 a histogram counts its buckets as series', async () => {
  const histogram = boundedHistogram({ ...options('observed'), buckets: [1, 10, 100] });
  for (let n = 0; n < MANY; n += 1) histogram.observe(labelsOf(n), 5);
  const series = await seriesOf('observed');
  expect(series.length).toBeLessThanOrEqual(MAX_SERIES);
  const counts = series.filter((line) => line.startsWith('observed_count'));
  expect(counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)).toBe(MANY);
});

test('OC-METRICS-7111 a gauge has nothing to say of what comes too late, until it starts anew', async () => {
  const gauge = boundedGauge(options('shown'));
  for (let n = 0; n < MANY; n += 1) gauge.set(labelsOf(n), n);
  gauge.set(labelsOf(7), 1);
  expect(await seriesOf('shown')).toHaveLength(MAX_SERIES);
  expect(await seriesOf('shown')).toContain('shown{pool_id="p",replica_id="p-0.7"} 1');
  gauge.reset();
  gauge.set(labelsOf(MANY), 4);
  expect(await seriesOf('shown')).toEqual([`shown{pool_id="p",replica_id="p-0.${MANY}"} 4`]);
});
