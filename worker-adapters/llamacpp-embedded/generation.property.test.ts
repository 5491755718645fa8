import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFakeModel } from './fake-token-model.ts';
import { completionParams, runGeneration } from './generation-fixture.ts';
import { createSlotBoard } from './slots.ts';

/** Few distinct tokens and few lengths, so that prompts often share a prefix. */
const prompts = fc
  .record({
    head: fc.constantFrom('', 'aaaaaaaaaaaa', 'aaaaaaaaaaaabbbbbbbb', 'x'.repeat(40)),
    tail: fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 12 }),
  })
  .map(({ head, tail }) => head + tail);
const requests = fc.array(
  fc.record({
    prompt: prompts,
    seed: fc.integer({ min: 0, max: 3 }),
    maxTokens: fc.integer({ min: 1, max: 12 }),
    /** Cancelled after so many tokens. */
    cancelAfter: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  }),
  { minLength: 2, maxLength: 12 },
);

test('OC-EMBED-4112 whatever a slot ran before, a warm run gives the bytes of a cold one', async () => {
  let reused = 0;
  await fc.assert(
    fc.asyncProperty(requests, fc.integer({ min: 1, max: 9 }), async (all, prefillChunk) => {
      const warm = createSlotBoard(createFakeModel().sequences, {
        chunk: prefillChunk,
        maxDeferred: 0,
      });
      for (const request of all) {
        const params = completionParams(request);
        const run = (slot = warm.slots[0]!, cancelAfter = request.cancelAfter) =>
          runGeneration({ slot, params, prefillChunk, cancelAfter });
        const cold = createSlotBoard(createFakeModel().sequences, {
          chunk: prefillChunk,
          maxDeferred: 0,
        });
        const expected = await run(cold.slots[0]);
        const actual = await run();
        expect(actual.text).toBe(expected.text);
        reused += actual.end?.cachedTokens ?? 0;
      }
    }),
    { numRuns: 150 },
  );
  expect(reused).toBeGreaterThan(0);
});
