import { expect, test } from 'vitest';
import { kvUsageOf, readMetrics } from './metrics.ts';

const EXPOSITION = `# HELP llamacpp:tokens_predicted_total Number of generation tokens processed.
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 41
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
# HELP llamacpp:requests_deferred Number of requests deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 7
`;

test('OC-ADAPT-5001 running and waiting are the gauges of that name', () => {
  expect(readMetrics(EXPOSITION)).toEqual({ running: 2, waiting: 7 });
});

test.each(['', 'llamacpp:requests_processing 2\n', EXPOSITION.replace('deferred 7', 'deferred x')])(
  'a missing gauge is garbage, never zero',
  (text) => {
    expect(() => readMetrics(text)).toThrow(expect.objectContaining({ fault: 'garbage' }));
  },
);

test('OC-ADAPT-5016 KV use is what the slots hold of their context', () => {
  const unused = { id: 0, n_ctx: 100, speculative: false, is_processing: false };
  const used = { ...unused, id: 1, n_prompt_tokens: 50 };
  expect(kvUsageOf([unused, used])).toBe(0.25);
  expect(kvUsageOf([unused])).toBe(0);
});

test.each([undefined, null, {}, []])('OC-ADAPT-5016 without slots it is unknown: %j', (slots) => {
  expect(kvUsageOf(slots)).toBeUndefined();
});
