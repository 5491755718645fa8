/** The pacts speak of every answer of the contracts. */
import { beforeAll, expect, test } from 'vitest';
import { coverageOf, reportOf, UNPROVOKABLE } from './coverage.ts';
import { readPacts, type Interaction, type PactFile } from './pact-files.ts';

let pacts: readonly PactFile[];

beforeAll(async () => {
  pacts = await readPacts();
});

/** The pacts with some interactions changed, or left out. */
function changed(
  change: (interaction: Interaction) => Interaction | undefined,
): readonly PactFile[] {
  return pacts.map((pact) => ({
    ...pact,
    interactions: pact.interactions.flatMap((each) => change(each) ?? []),
  }));
}

test('OC-TEST-7404 every status of every operation, every header and event is in the pacts', () => {
  const coverage = coverageOf(pacts);
  expect(coverage.faults).toEqual([]);
  expect(reportOf(coverage)).toContain('189 of 190 answers of 29 operations');
});

test('OC-TEST-7404 what cannot be provoked is little, and has a reason', () => {
  expect(UNPROVOKABLE.length).toBeLessThanOrEqual(3);
  for (const { reason } of UNPROVOKABLE) expect(reason.length).toBeGreaterThan(20);
});

test('OC-TEST-7404 a status without an interaction is missing', () => {
  const { faults } = coverageOf(
    changed((each) => (each.description.startsWith('reloadPool: of a') ? undefined : each)),
  );
  expect(faults).toEqual(['reloadPool 409: no interaction']);
});

test('OC-TEST-7404 a header or an event that no interaction has is missing', () => {
  const withoutHeader = changed((each) => {
    const headers = Object.entries(each.response['headers'] ?? {});
    const kept = Object.fromEntries(headers.filter(([name]) => name !== 'X-Backoff-Ms'));
    return { ...each, response: { ...each.response, headers: kept } };
  });
  expect(coverageOf(withoutHeader).faults).toEqual([
    'createTask 429: no interaction has X-Backoff-Ms',
    'verifyTask 429: no interaction has X-Backoff-Ms',
  ]);
  const withoutFailure = changed((each) =>
    each.description.includes('whose engine failed') ? undefined : each,
  );
  expect(coverageOf(withoutFailure).faults).toEqual(['no transcript has the event error']);
});

test('OC-TEST-7404 an interaction of no operation, and an exemption that is none, are named', () => {
  const strange = changed((each) =>
    each.description.startsWith('getLiveness: of')
      ? { ...each, request: { ...each.request, path: '/healthy' } }
      : each,
  );
  expect(coverageOf(strange).faults).toEqual([
    '"getLiveness: of a process that answers" is no operation of the contracts',
    'getLiveness 200: no interaction',
  ]);
  const stale = { operationId: 'getLiveness', status: '200', reason: 'it never answers' } as const;
  expect(coverageOf(pacts, [...UNPROVOKABLE, stale]).faults).toEqual([
    'getLiveness 200: is in the pacts, and not unprovokable',
  ]);
});
