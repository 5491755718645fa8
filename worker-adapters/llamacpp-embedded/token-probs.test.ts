import fc from 'fast-check';
import { expect, test } from 'vitest';
import { probabilityObjects, toSampledProb } from './token-probs.ts';

const logit = fc.double({ min: -30, max: 30, noNaN: true });

test('OC-EMBED-4146 probabilities are the softmax over all logits, the likeliest first', () => {
  fc.assert(
    fc.property(fc.array(logit, { minLength: 1, maxLength: 40 }), fc.nat(), (logits, pick) => {
      const token = pick % logits.length;
      const greatest = Math.max(...logits);
      const weight = logits.reduce((sum, value) => sum + Math.exp(value - greatest), 0);
      const prob = toSampledProb(new Map(logits.entries()), weight, token, 20);
      const total = logits.reduce((sum, value) => sum + Math.exp(value), 0);
      expect(Math.exp(prob.logprob)).toBeCloseTo(Math.exp(logits[token]!) / total, 9);
      expect(prob.top).toHaveLength(Math.min(20, logits.length));
      const order = prob.top.map((each) => each.logprob);
      expect(order).toEqual(order.toSorted((a, b) => b - a));
      for (const each of prob.top) expect(each.logprob).toBeLessThanOrEqual(0);
    }),
  );
});

test('a sampled token beyond the likeliest is weighed and not listed', () => {
  const logits = new Map([
    [5, 2],
    [9, -1],
  ]);
  expect(toSampledProb(logits, 1.5, 9, 1)).toEqual({
    token: 9,
    logprob: -3 - Math.log(1.5),
    top: [{ token: 5, logprob: -Math.log(1.5) }],
  });
});

test('a probability of 0 is written as the lowest float, since JSON has no -Infinity', () => {
  const report = { token: 1, logprob: -Infinity, top: [], textOf: () => 'x' };
  const [entry] = JSON.parse(JSON.stringify(probabilityObjects([report]))) as unknown[];
  expect(entry).toEqual({ id: 1, token: 'x', logprob: -3.4028234663852886e38, top_logprobs: [] });
});
