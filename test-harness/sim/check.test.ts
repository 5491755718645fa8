import { expect, test } from 'vitest';
import { checkInvariants } from './check.ts';
import type { NamedPolicy } from './policy.ts';

test('OC-SIM-7210 no policy beats a bound or loses a request, and every run repeats itself', () => {
  expect(checkInvariants()).toEqual([]);
});

test('OC-SIM-7210 a policy that refuses without a reason, or by chance, is found out', () => {
  let draws = 0;
  const fickle: NamedPolicy = {
    name: 'fickle',
    about: '',
    create: (fleet) => ({
      arrived({ id }) {
        draws += 1;
        if (draws % 7 === 0) fleet.reject(id);
        else fleet.dispatch(id, id % fleet.replicas.length);
      },
    }),
  };
  const found = new Set(checkInvariants([fickle]).map(({ what }) => what));
  expect(found).toEqual(
    new Set(['two equal runs differ', 'a request without a deadline was refused']),
  );
});
