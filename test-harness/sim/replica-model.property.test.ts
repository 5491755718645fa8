import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ReplicaOptions } from './replica-types.ts';
import { abort, attempt, runReplica, submit, type Action } from './testing/lone-replica.ts';

const KV_TOKENS = 12_000;

interface Load {
  readonly actions: Action[];
  readonly requests: number;
}

const loads: fc.Arbitrary<Load> = fc
  .array(
    fc.record({
      gapMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 400, noNaN: true })),
      promptTokens: fc.integer({ min: 1, max: 6000 }),
      outputTokens: fc.integer({ min: 1, max: 300 }),
      blocks: fc.uniqueArray(fc.nat(9), { maxLength: 4 }),
      abortAfterMs: fc.option(fc.double({ min: 0, max: 3000, noNaN: true }), { freq: 4 }),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((rows) => {
    let nowMs = 0;
    const actions: Action[] = [];
    for (const [id, { gapMs, abortAfterMs, ...request }] of rows.entries()) {
      nowMs += gapMs;
      actions.push(submit(nowMs, attempt(id, request)));
      if (abortAfterMs !== null) actions.push(abort(nowMs + abortAfterMs, id));
    }
    return { actions: actions.toSorted((a, b) => a.atMs - b.atMs), requests: rows.length };
  });

const options: fc.Arbitrary<Partial<ReplicaOptions>> = fc.record({
  slots: fc.constantFrom(2, 8, Infinity),
  cacheTokens: fc.constantFrom(0, 4096),
  noise: fc.constantFrom(0, 0.2),
  slowdown: fc.constantFrom(1, 2),
  kvTokens: fc.constant(KV_TOKENS),
});

test('jumping over decode-only steps reports what going step by step reports', () => {
  fc.assert(
    fc.property(loads, options, ({ actions }, some) => {
      const jumped = runReplica(some, actions).reports;
      const stepped = runReplica({ ...some, reportSteps: true }, actions).reports;
      const without = (reports: typeof jumped) =>
        reports.map(({ what, requestId, tokens }) => ({ what, requestId, tokens }));
      expect(without(jumped)).toEqual(without(stepped));
      for (const [index, { atMs }] of jumped.entries()) {
        expect(atMs).toBeCloseTo(stepped[index]?.atMs ?? NaN, 4);
      }
    }),
    { numRuns: 150 },
  );
});

test('every request ends once, and nothing of it is left', () => {
  fc.assert(
    fc.property(loads, options, ({ actions, requests }, some) => {
      const { reports, replica } = runReplica(some, actions);
      const ended = reports.filter(({ what }) => what !== 'first').map((end) => end.requestId);
      expect(ended.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: requests }, (_, id) => id),
      );
      expect(replica).toMatchObject({ running: 0, waiting: 0, kvTokens: 0, decodeContext: 0 });
      expect(replica.unstartedTokens).toBe(0);
    }),
    { numRuns: 150 },
  );
});

test('OC-SIM-7204 the memory promised never exceeds what there is, and it never idles beside work that fits', () => {
  fc.assert(
    fc.property(loads, options, ({ actions }, some) => {
      runReplica(some, actions, (replica) => {
        expect(replica.kvTokens).toBeLessThanOrEqual(KV_TOKENS);
        expect(replica.running).toBeLessThanOrEqual(some.slots ?? Infinity);
        if (replica.running + replica.waiting > 0) expect(replica.nextMs).toBeLessThan(Infinity);
      });
    }),
    { numRuns: 100 },
  );
});
