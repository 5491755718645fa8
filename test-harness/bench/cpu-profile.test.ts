import { expect, test } from 'vitest';
import { functionTimes, type CpuProfile } from './cpu-profile.ts';

const frame = (functionName: string, url = '', lineNumber = -1) => ({
  functionName,
  url,
  lineNumber,
});
const ROOT = 1;
const IDLE = 2;
const OUTER = 3;
const INNER = 4;
/** `outer` calls `inner`; ten samples, 10 µs apart. */
const profile: CpuProfile = {
  startTime: 1_000,
  nodes: [
    { id: ROOT, callFrame: frame('(root)'), children: [IDLE, OUTER] },
    { id: IDLE, callFrame: frame('(idle)') },
    { id: OUTER, callFrame: frame('outer', 'file:///project/a.ts', 9), children: [INNER] },
    { id: INNER, callFrame: frame('', 'file:///project/b.ts', 0) },
  ],
  samples: [OUTER, IDLE, IDLE, OUTER, INNER, INNER, INNER, IDLE, INNER, OUTER],
  timeDeltas: Array.from({ length: 10 }, () => 10),
};

test('time is that of the phases, idling left out, with and without callees', () => {
  // Samples 1 to 6: two idle, one in `outer`, three in what it calls.
  const phases = [{ fromUs: 1_015, toUs: 1_075 }];
  expect(functionTimes(profile, phases, '/project/')).toEqual([
    { label: '(anonymous)  b.ts:1', self: 0.75, total: 0.75 },
    { label: 'outer  a.ts:10', self: 0.25, total: 1 },
  ]);
});

test('a phase without samples has no functions', () => {
  expect(functionTimes(profile, [{ fromUs: 0, toUs: 1 }], '/')).toEqual([]);
});
