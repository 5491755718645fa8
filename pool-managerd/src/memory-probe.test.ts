import { expect, test } from 'vitest';
import { createMemoryProbe, groupFree, parseGpus } from './memory-probe.ts';

const MIB = 1024 ** 2;

test('the answer of nvidia-smi is read line by line', () => {
  const csv = '0, GPU-5a, 81559, 80994, 565, 37\n1, GPU-5b, 81559, 1, 81558, [N/A]\n';
  expect(parseGpus(csv)).toEqual([
    {
      index: 0,
      uuid: 'GPU-5a',
      totalBytes: 81_559 * MIB,
      freeBytes: 80_994 * MIB,
      usedBytes: 565 * MIB,
      utilization: 37,
    },
    {
      index: 1,
      uuid: 'GPU-5b',
      totalBytes: 81_559 * MIB,
      freeBytes: 1 * MIB,
      usedBytes: 81_558 * MIB,
      utilization: undefined,
    },
  ]);
});

test('a GPU that does not tell its memory is left out, and so is what is no answer', () => {
  expect(parseGpus('0, GPU-5a, [N/A], [N/A], [N/A], 3\n')).toEqual([]);
  expect(parseGpus('No devices were found\n')).toEqual([]);
  expect(parseGpus('')).toEqual([]);
});

test('a control group has its limit less what it uses, where cached files give way', () => {
  expect(groupFree('1000\n', '800\n', 'anon 500\nactive_file 100\ninactive_file 150\n')).toBe(450);
  expect(groupFree('max\n', '800\n', '')).toBe(Infinity);
  expect(groupFree('', '', '')).toBe(Infinity);
});

test('this machine has some memory, asked twice at once', async () => {
  const probe = createMemoryProbe();
  const [one, other] = await Promise.all([probe.read(), probe.read()]);
  expect(one.hostFreeBytes).toBeGreaterThan(MIB);
  expect(other).toBe(one);
});
