import { expect, test } from 'vitest';
import { SignalHistory } from './signal-history.ts';

const running = (count: number) => ({ running: count, waiting: 0, kvTokens: 0 });

test('OC-SIM-7206 signals are between one and two periods old', () => {
  const history = new SignalHistory(50);
  for (let ms = 0; ms <= 1000; ms += 5) {
    history.record(ms, running(ms));
    const ageMs = ms - history.at(ms, running(ms)).running;
    if (ms < 100) continue;
    expect(ageMs).toBeGreaterThanOrEqual(50);
    expect(ageMs).toBeLessThan(100);
  }
});

test('before the first sample arrives an engine looks idle', () => {
  const history = new SignalHistory(50);
  history.record(0, running(7));
  expect(history.at(49, running(7)).running).toBe(0);
  expect(history.at(50, running(7)).running).toBe(7);
});

test('a period of 0 is the truth', () => {
  const history = new SignalHistory(0);
  history.record(10, running(3));
  expect(history.at(10, running(4))).toEqual(running(4));
});
