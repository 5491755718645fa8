import { expect, test } from 'vitest';
import { withFlood } from '../flood.ts';
import { generateTrace } from '../generated-trace.ts';
import { DEFAULT_SCENARIO, simulate } from '../world.ts';
import { llamaOrchWith } from './llama-orch.ts';

test('OC-SIM-7207 work that is stopped over and over, even as it ends, is all answered', () => {
  // Stops at the slightest difference in service, of answers that are as short as a step or two.
  const policy = llamaOrchWith({
    tuning: {
      returnCredit: 0,
      fairnessWindow: 0,
      preemptAfterMs: 1,
      preemptTenantAfterMs: 1,
      preemptTenantGap: 1,
    },
    pool: { preemption: 'hard', maxPreemptions: 50 },
  });
  for (const seed of [1, 10, 11]) {
    const calm = generateTrace({ requests: 150, seed, meanGapMs: 60 }).map((request, row) => ({
      ...request,
      promptTokens: 50 + ((row * 37) % 200),
      blocks: [],
      outputTokens: 1 + ((row * 7) % 20),
      ttftSloMs: undefined,
    }));
    for (const slots of [2, 4]) {
      const scenario = { ...DEFAULT_SCENARIO, replicas: 1, slots, kvTokens: 35_000 };
      const { records } = simulate(withFlood(calm, 25, seed), scenario, policy);
      expect(records.filter(({ finishMs }) => Number.isNaN(finishMs))).toEqual([]);
      expect(records.some(({ preemptions }) => preemptions > 0)).toBe(true);
    }
  }
});
