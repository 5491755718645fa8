import { expect, test } from 'vitest';
import { A100_8B, idlePrefillMs, iterationMs } from './iteration-time.ts';
import { BLOCK_TOKENS } from './prefix-cache.ts';
import { abort, attempt, runReplica, submit, type Report } from './testing/lone-replica.ts';

const prefillMs = (tokens: number, context = 0) => idlePrefillMs(A100_8B, tokens, context, 2048);
const decodeMs = (contexts: readonly number[]) =>
  iterationMs(
    A100_8B,
    contexts.length,
    contexts.length,
    contexts.reduce((sum, context) => sum + context, 0),
    0,
  );
const timeOf = (reports: readonly Report[], what: Report['what'], requestId: number) =>
  reports.find((report) => report.what === what && report.requestId === requestId)?.atMs ?? NaN;

test('the first token comes with the end of the prefill, the others one step each', () => {
  const { reports } = runReplica({}, [submit(5, attempt(0, { outputTokens: 3 }))]);
  const firstMs = 5 + prefillMs(1000);
  expect(timeOf(reports, 'first', 0)).toBeCloseTo(firstMs, 9);
  expect(timeOf(reports, 'finished', 0)).toBeCloseTo(
    firstMs + decodeMs([1001]) + decodeMs([1002]),
    9,
  );
});

test('an answer of one token ends with its first', () => {
  const { reports } = runReplica({}, [submit(0, attempt(0, { outputTokens: 1 }))]);
  expect(reports.map(({ what }) => what)).toEqual(['first', 'finished']);
  expect(timeOf(reports, 'finished', 0)).toBe(timeOf(reports, 'first', 0));
});

test('a long prompt is prefilled in chunks and leaves the rest of its last step to the next one', () => {
  const { reports } = runReplica({}, [
    submit(0, attempt(0, { promptTokens: 3000, outputTokens: 1 })),
    submit(0, attempt(1, { promptTokens: 1000, outputTokens: 1 })),
  ]);
  const pairs = 952 * (2048 + 476) + 1000 * 500;
  const bothMs = prefillMs(2048) + iterationMs(A100_8B, 1952, 0, 0, pairs);
  expect(timeOf(reports, 'first', 0)).toBeCloseTo(bothMs, 9);
  expect(timeOf(reports, 'first', 1)).toBeCloseTo(bothMs, 9);
});

test('decodes ride along with a prefill and take their tokens off its budget', () => {
  const { reports, stepEndsMs } = runReplica({ reportSteps: true }, [
    submit(0, attempt(0, { promptTokens: 100, outputTokens: 50 })),
    submit(1, attempt(1, { promptTokens: 2048, outputTokens: 1 })),
  ]);
  const firstMs = prefillMs(100);
  const mixed = iterationMs(A100_8B, 2048, 1, 101, 2047 * (2047 / 2));
  const rest = iterationMs(A100_8B, 2, 1, 102, 2047 + 0.5);
  expect(stepEndsMs[1]).toBeCloseTo(firstMs + mixed, 9);
  expect(timeOf(reports, 'first', 1)).toBeCloseTo(firstMs + mixed + rest, 9);
});

test('what arrives while only decodes run joins at the end of the running step', () => {
  const { reports } = runReplica({}, [
    submit(0, attempt(0, { promptTokens: 100, outputTokens: 500 })),
    submit(60, attempt(1, { promptTokens: 200, outputTokens: 1 })),
  ]);
  let stepEndMs = prefillMs(100);
  let context = 101;
  while (stepEndMs < 60) stepEndMs += decodeMs([context++]);
  const joined = iterationMs(A100_8B, 201, 1, context, 200 * 100);
  expect(timeOf(reports, 'first', 1)).toBeCloseTo(stepEndMs + joined, 6);
});

test('a request waits until its whole prompt and output fit, and is not overtaken', () => {
  const { reports } = runReplica({ kvTokens: 2000 }, [
    submit(0, attempt(0, { promptTokens: 1000, outputTokens: 20 })),
    submit(0, attempt(1, { promptTokens: 1000, outputTokens: 10 })),
    submit(0, attempt(2, { promptTokens: 10, outputTokens: 1 })),
  ]);
  const freedMs = timeOf(reports, 'finished', 0);
  expect(timeOf(reports, 'first', 1)).toBeGreaterThan(freedMs);
  expect(timeOf(reports, 'first', 2)).toBeGreaterThan(freedMs);
});

test('no more run at once than there are slots', () => {
  const requests = [0, 1, 2].map((id) => submit(0, attempt(id, { promptTokens: 10 })));
  let most = 0;
  const { reports } = runReplica({ slots: 2 }, requests, (replica) => {
    most = Math.max(most, replica.running);
  });
  expect(most).toBe(2);
  expect(timeOf(reports, 'first', 2)).toBeGreaterThan(timeOf(reports, 'finished', 0));
});

test('a prefix computed before is spared, and costs only its attention', () => {
  const blocks = [1, 2, 3];
  const promptTokens = 3 * BLOCK_TOKENS + 100;
  const { reports } = runReplica({ cacheTokens: 10_000 }, [
    submit(0, attempt(0, { promptTokens, outputTokens: 1, blocks })),
    submit(10_000, attempt(1, { promptTokens, outputTokens: 1, blocks: [...blocks, 4] })),
  ]);
  const [first, , second] = reports;
  expect(first?.tokens).toBe(0);
  expect(second?.tokens).toBe(3 * BLOCK_TOKENS);
  expect(second?.atMs).toBeCloseTo(10_000 + prefillMs(100, 3 * BLOCK_TOKENS), 9);
});

test('a request that waits is taken back at once', () => {
  const { reports } = runReplica({ slots: 1 }, [
    submit(0, attempt(0)),
    submit(0, attempt(1)),
    abort(3, 1),
  ]);
  expect(reports[0]).toEqual({ what: 'aborted', requestId: 1, atMs: 3, tokens: 0 });
});

test('taking back the head of the line lets the next one in', () => {
  const { reports } = runReplica({ kvTokens: 2000 }, [
    submit(0, attempt(0, { promptTokens: 1000, outputTokens: 500 })),
    submit(0, attempt(1, { promptTokens: 1000, outputTokens: 10 })),
    submit(0, attempt(2, { promptTokens: 10, outputTokens: 1 })),
    abort(300, 1),
  ]);
  expect(timeOf(reports, 'first', 2)).toBeLessThan(350);
});

test('a request that runs is taken back at the end of the step, with what it produced', () => {
  const { reports, replica } = runReplica({}, [
    submit(0, attempt(0, { promptTokens: 100, outputTokens: 500 })),
    abort(60, 0),
  ]);
  let stepEndMs = prefillMs(100);
  let produced = 1;
  while (stepEndMs < 60) {
    stepEndMs += decodeMs([100 + produced]);
    produced += 1;
  }
  expect(reports.at(-1)).toMatchObject({ what: 'aborted', tokens: produced });
  expect(reports.at(-1)?.atMs).toBeCloseTo(stepEndMs, 6);
  expect(replica.kvTokens).toBe(0);
  expect(replica.decodeContext).toBe(0);
});

test('a prefill that is taken back frees its memory and produces nothing', () => {
  const { reports, replica } = runReplica({}, [
    submit(0, attempt(0, { promptTokens: 9000 })),
    abort(20, 0),
  ]);
  expect(reports).toEqual([{ what: 'aborted', requestId: 0, atMs: prefillMs(2048), tokens: 0 }]);
  expect(replica.kvTokens).toBe(0);
});

test('a request that finishes with the step is not taken back any more', () => {
  const { reports } = runReplica({}, [submit(0, attempt(0, { outputTokens: 1 })), abort(1, 0)]);
  expect(reports.map(({ what }) => what)).toEqual(['first', 'finished']);
});

test('a preempted request prefills its prompt and its tokens again, and has no second first token', () => {
  const again = attempt(0, { promptTokens: 100, outputTokens: 30, producedBefore: 20 });
  const { reports } = runReplica({}, [submit(0, again)]);
  let expectedMs = prefillMs(120);
  for (let context = 121; context < 130; context += 1) expectedMs += decodeMs([context]);
  expect(reports).toHaveLength(1);
  expect(timeOf(reports, 'finished', 0)).toBeCloseTo(expectedMs, 6);
});

test('the tokens produced by a time are those of the steps that have ended', () => {
  const seen: number[] = [];
  runReplica(
    {},
    [
      submit(0, attempt(0, { promptTokens: 100, outputTokens: 50 })),
      ...[10, 19.9, 31, 200].map((atMs) => ({
        atMs,
        act: (replica: { producedBy(id: number, atMs: number): number }) => {
          seen.push(replica.producedBy(0, atMs));
        },
      })),
    ],
    () => undefined,
  );
  const firstMs = prefillMs(100);
  const producedAt = (ms: number) => {
    if (ms < firstMs) return 0;
    let produced = 1;
    for (let at = firstMs + decodeMs([101]); at <= ms; at += decodeMs([100 + produced])) {
      produced += 1;
    }
    return produced;
  };
  expect(seen).toEqual([10, 19.9, 31, 200].map(producedAt));
});

test('a slow replica takes its factor as long', () => {
  const { reports } = runReplica({ slowdown: 2 }, [submit(0, attempt(0))]);
  const { reports: nominal } = runReplica({}, [submit(0, attempt(0))]);
  expect(timeOf(reports, 'finished', 0)).toBeCloseTo(2 * timeOf(nominal, 'finished', 0), 6);
});

test('a request that can never fit is refused', () => {
  expect(() => runReplica({ kvTokens: 500 }, [submit(0, attempt(0))])).toThrow(RangeError);
});
