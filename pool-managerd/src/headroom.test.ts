import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { demandsOf, learnedFloor, memoryNeed, shortage, unequalSplit } from './headroom.ts';
import type { GpuReading, MemoryReading } from './memory-probe.ts';

const GIB = 1024 ** 3;
const NONE = new Map();

function gpu(index: number, freeGib: number, totalGib = 80): GpuReading {
  return {
    index,
    uuid: `GPU-${index}`,
    totalBytes: totalGib * GIB,
    freeBytes: freeGib * GIB,
    usedBytes: (totalGib - freeGib) * GIB,
    utilization: 0,
  };
}

function reading(...gpus: readonly GpuReading[]): MemoryReading {
  return { hostFreeBytes: 10 * GIB, gpus };
}

const POOL = { ctx: 4096, slots: 4, memoryBytes: undefined };
const MASK = { device: 'cuda:0,1', tensorSplit: undefined, command: [] };

describe('what a replica needs', () => {
  test('ORCH-3003 the file and the KV of every slot, and a tenth more', () => {
    const need = memoryNeed(POOL, { bytes: 1000, kvBytesPerToken: 10 });
    expect(need).toBe(Math.ceil(1.1 * (1000 + 10 * 4096 * 4)));
  });

  test('or what the pool says; zero is never checked', () => {
    const model = { bytes: 1000, kvBytesPerToken: 10 };
    expect(memoryNeed({ ...POOL, memoryBytes: 77 }, model)).toBe(77);
    expect(memoryNeed({ ...POOL, memoryBytes: 0 }, model)).toBeUndefined();
    expect(memoryNeed(POOL, undefined)).toBeUndefined();
  });
});

describe('where it needs it', () => {
  test('a CPU pool on the host, a GPU pool in equal parts on its own devices', () => {
    expect(demandsOf({ ...MASK, device: 'cpu' }, 8, reading())).toEqual([
      { place: 'host', bytes: 8 },
    ]);
    expect(demandsOf(MASK, 8, reading(gpu(0, 1), gpu(1, 1), gpu(2, 1)))).toEqual([
      { place: 0, bytes: 4 },
      { place: 1, bytes: 4 },
    ]);
  });

  test('ORCH-3052 a split takes from each GPU by its ratio, KV included', () => {
    const split = { ...MASK, tensorSplit: [3, 1] };
    expect(demandsOf(split, 8, reading(gpu(0, 1), gpu(1, 1))).map(({ bytes }) => bytes)).toEqual([
      6, 2,
    ]);
  });

  test('for any ratios the parts are no less than the whole, and hardly more', () => {
    const ratios = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(ratios, fc.nat(), (tensorSplit, bytes) => {
        const device = `cuda:${tensorSplit.map((_, i) => i).join(',')}`;
        const gpus = tensorSplit.map((_, i) => gpu(i, 1));
        const parts = demandsOf({ device, tensorSplit }, bytes, reading(...gpus));
        const sum = parts.reduce((total, part) => total + part.bytes, 0);
        expect(sum).toBeGreaterThanOrEqual(bytes);
        expect(sum).toBeLessThanOrEqual(bytes + tensorSplit.length);
      }),
    );
  });
});

describe('what is missing', () => {
  const demands = [{ place: 0, bytes: 8 * GIB }];

  test('ORCH-3003 says where, how much is needed and how much is free', () => {
    expect(shortage(demands, reading(gpu(0, 8)), NONE, NONE)).toBeUndefined();
    expect(shortage(demands, reading(gpu(0, 7)), NONE, NONE)).toBe(
      'not enough memory on GPU 0: 8.00 GiB needed, 7.00 GiB free',
    );
  });

  test('what others were promised is not free', () => {
    expect(shortage(demands, reading(gpu(0, 12)), new Map([[0, 5 * GIB]]), NONE)).toContain(
      '12.00 GiB free, 5.00 GiB of them promised to others',
    );
  });

  test('memory that nobody can tell is no reason to refuse', () => {
    expect(shortage(demands, { hostFreeBytes: undefined, gpus: undefined }, NONE, NONE)).toBe(
      undefined,
    );
    expect(demandsOf(MASK, 8, { hostFreeBytes: 1, gpus: undefined })).toEqual([]);
    expect(demandsOf({ ...MASK, device: 'metal' }, 8, reading())).toEqual([]);
  });

  test('ORCH-3039 after a start ran out of memory the next one needs more than was free', () => {
    const before = reading(gpu(0, 20));
    const learned = new Map([[0, learnedFloor(0, before)!]]);
    expect(shortage(demands, before, NONE, learned)).toContain(
      '20.40 GiB needed, since a start with less ran out of memory',
    );
    expect(shortage(demands, reading(gpu(0, 21)), NONE, learned)).toBeUndefined();
  });

  test('ORCH-3039 an all but empty GPU is tried again, whatever was learned', () => {
    const learned = new Map([[0, learnedFloor(0, reading(gpu(0, 79)))!]]);
    expect(shortage(demands, reading(gpu(0, 79)), NONE, learned)).toBeUndefined();
  });
});

describe('ORCH-3012 a split over GPUs of different sizes', () => {
  const unequal = reading(gpu(0, 80, 80), gpu(1, 24, 24));

  test('needs explicit ratios', () => {
    expect(unequalSplit(MASK, unequal)).toBe(
      'the GPUs of cuda:0,1 have 80.00 GiB and 24.00 GiB: a split over them needs tensor_split',
    );
    expect(unequalSplit({ ...MASK, tensorSplit: [3, 1] }, unequal)).toBeUndefined();
    expect(unequalSplit({ ...MASK, command: ['-ts', '3,1'] }, unequal)).toBeUndefined();
  });

  test('is no question on one GPU, on equal ones, or where the sizes are unknown', () => {
    expect(unequalSplit({ ...MASK, device: 'cuda:1' }, unequal)).toBeUndefined();
    expect(unequalSplit(MASK, reading(gpu(0, 1, 80), gpu(1, 1, 79)))).toBeUndefined();
    expect(unequalSplit(MASK, { hostFreeBytes: 1, gpus: undefined })).toBeUndefined();
  });
});
