import { expect, test } from 'vitest';
import { hashBoundaries } from './boundary-hasher.ts';

/** Printable ASCII that repeats with no period near a power of two. */
const TEXT = Array.from({ length: 400_000 }, (_, at) =>
  String.fromCharCode(32 + ((at * 7 + Math.floor(at / 95)) % 95)),
).join('');

// Digests of the first n bytes of TEXT by the reference implementation (python-xxhash, xxh32).
test.each([
  {
    seed: 0,
    digests: { 1: 672902226, 2: 617320235, 32: 1900111926, 64: 35790767, 65: 297973811 },
    later: { 97: 798739643, 200: 636693845 },
  },
  {
    seed: 2654435761,
    digests: { 1: -5849746, 2: -487992729, 32: -1417428657, 64: 1255063040, 65: 1056125593 },
    later: { 97: -2063375237, 200: 1450025698 },
  },
])('each hash is the XXH32 digest of all text up to its place, seed $seed', (vectors) => {
  const hashes = hashBoundaries([TEXT], vectors.seed);
  for (const [place, digest] of Object.entries({ ...vectors.digests, ...vectors.later })) {
    expect(hashes[Number(place) - 1]).toBe(digest);
  }
});

// By the same implementation, over the UTF-8 of each part and a byte 0xff after it.
test.each([
  {
    what: 'parts',
    parts: ['user', TEXT],
    digests: { 1: 1693507282, 65: -629972752, 200: -844211346 },
  },
  {
    what: 'characters of two code units, at odd places',
    parts: [`x${'😀'.repeat(40_000)}`],
    digests: { 1: 1808037354, 128: -2055351248, 150: -1183721924 },
  },
])('$what are hashed as the bytes they are encoded to', ({ parts, digests }) => {
  const hashes = hashBoundaries(parts, 0);
  for (const [place, digest] of Object.entries(digests)) {
    expect(hashes[Number(place) - 1]).toBe(digest);
  }
});

test('a text shorter than a block has no place', () => {
  expect(hashBoundaries(['x'.repeat(200)], 0)).toEqual([]);
  expect(hashBoundaries([], 0)).toEqual([]);
});

test('16 MB have at most 384 places', () => {
  expect(hashBoundaries(['x'.repeat(16 * 2 ** 20)], 0)).toHaveLength(384);
});
