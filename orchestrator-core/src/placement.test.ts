import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Candidate, PlacementRequest } from './placement.ts';
import { placeTask } from './placement.ts';

const ANYWHERE: PlacementRequest = {
  pinnedSetId: undefined,
  avoidReplicaId: undefined,
  affinityReplicaId: undefined,
};
const candidate = (replicaId: string, running = 0, slots = 4, setId = 's'): Candidate => ({
  replicaId,
  setId,
  slots,
  running,
});
const place = (request: Partial<PlacementRequest>, candidates: readonly Candidate[]) =>
  placeTask({ ...ANYWHERE, ...request }, candidates)?.replicaId;

test('ORCH-3008 OC-CORE-1012 the replica with the smallest busy share of its slots is chosen', () => {
  expect(place({}, [candidate('a', 2, 4), candidate('b', 3, 8)])).toBe('b');
});

test('OC-CORE-1012 a tie goes to the lower replica id', () => {
  expect(place({}, [candidate('b'), candidate('a')])).toBe('a');
});

test('OC-CORE-1010 a replica without a free slot is never chosen', () => {
  expect(place({ affinityReplicaId: 'a' }, [candidate('a', 1, 1)])).toBeUndefined();
});

test('ORCH-3009 OC-CORE-1013 the session is followed even to a busier replica', () => {
  expect(place({ affinityReplicaId: 'b' }, [candidate('a'), candidate('b', 3)])).toBe('b');
});

test('ORCH-3009 OC-CORE-1013 a session whose replica is full goes elsewhere', () => {
  expect(place({ affinityReplicaId: 'b' }, [candidate('a', 3), candidate('b', 4)])).toBe('a');
});

test('OC-CORE-1012 a re-run prefers another replica, above session and load', () => {
  const request = { avoidReplicaId: 'a', affinityReplicaId: 'a' };
  expect(place(request, [candidate('a'), candidate('b', 3)])).toBe('b');
  expect(place(request, [candidate('a')])).toBe('a');
});

test('ORCH-3046 OC-CORE-1028 a pinned task runs only within its set', () => {
  const other = candidate('a', 0, 4, 'other');
  expect(place({ pinnedSetId: 's' }, [other, candidate('b', 3)])).toBe('b');
  expect(place({ pinnedSetId: 's' }, [other])).toBeUndefined();
});

test('OC-CORE-1030 the choice does not depend on the order of the candidates', () => {
  const ids = fc.constantFrom('a', 'b', 'c', 'd');
  const one = fc.record({
    replicaId: ids,
    setId: fc.constantFrom('s', 'z'),
    slots: fc.integer({ min: 1, max: 4 }),
    running: fc.nat(4),
  });
  const request = fc.record({
    pinnedSetId: fc.constantFrom(undefined, 's'),
    avoidReplicaId: fc.option(ids, { nil: undefined }),
    affinityReplicaId: fc.option(ids, { nil: undefined }),
  });
  fc.assert(
    fc.property(
      request,
      fc.uniqueArray(one, { selector: (c) => c.replicaId, maxLength: 4 }),
      (asked, candidates) => {
        expect(placeTask(asked, candidates.toReversed())).toEqual(placeTask(asked, candidates));
      },
    ),
  );
});
