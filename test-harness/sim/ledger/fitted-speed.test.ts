import { expect, test } from 'vitest';
import { iterationMs } from '../iteration-time.ts';
import { fitSpeed } from './fitted-speed.ts';
import type { RecordedTask } from './recorded-tasks.ts';

const TOKEN_MS = 1;
const FIXED_MS = 6;
const PROMPT_TOKEN_MS = 0.02;

/** One task after the other, each with a replica to itself. */
function recorded(promptLengths: readonly number[]): readonly RecordedTask[] {
  return promptLengths.map((tokensIn, index) => {
    const startedAtMs = index * 1_000;
    const firstTokenAtMs = startedAtMs + FIXED_MS + PROMPT_TOKEN_MS * tokensIn;
    const usage = { tokensIn, tokensOut: 21, cachedTokens: 0, decodeMs: 20 * TOKEN_MS };
    const times = { startedAtMs, firstTokenAtMs, endedAtMs: firstTokenAtMs + usage.decodeMs };
    return { replicaId: 'r', usage, ...times } as RecordedTask;
  });
}

test.each([
  ['one length', Array<number>(20).fill(50)],
  ['many lengths', Array.from({ length: 20 }, (_, index) => 100 * index)],
])(
  'OC-SIM-7222 what each prompt costs beside its tokens is not charged to every token: %s',
  (_, lengths) => {
    const { constants } = fitSpeed(recorded(lengths));
    expect(iterationMs(constants, 1, 1, 0, 0)).toBeCloseTo(TOKEN_MS, 1);
    const length = lengths.at(-1) ?? 0;
    const firstMs = FIXED_MS + PROMPT_TOKEN_MS * length;
    expect(iterationMs(constants, length, 0, 0, 0) / firstMs).toBeCloseTo(1, 0);
  },
);
