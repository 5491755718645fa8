import { validateConfig, type Config } from '@llama-orch/contracts';
import { describe, expect, test } from 'vitest';

import { RateLimits, tenantsOf } from './tenants.ts';

function configOf(tenants: readonly object[]): Config {
  const checked = validateConfig({ tenants });
  if (!checked.ok) throw new Error(JSON.stringify(checked.details));
  return checked.value;
}

describe('tenants', () => {
  test('default exists without being listed, with weight 1 and no limit', () => {
    const unlimited = { weight: 1, maxConcurrent: undefined, rateLimit: undefined };
    expect([...tenantsOf(configOf([])).values()]).toEqual([{ id: 'default', ...unlimited }]);
    const two = tenantsOf(configOf([{ id: 'acme' }]));
    expect([...two.values()]).toEqual([
      { id: 'default', ...unlimited },
      { id: 'acme', ...unlimited },
    ]);
  });

  test('default may be listed, with limits like any other', () => {
    const tenants = tenantsOf(configOf([{ id: 'a' }, { id: 'default', weight: 0.5, rps: 3 }]));
    expect([...tenants.keys()]).toEqual(['a', 'default']);
    expect(tenants.get('default')).toMatchObject({ weight: 0.5, rateLimit: { rps: 3, burst: 3 } });
  });

  test.each([
    [{ rps: 0.25 }, { rps: 0.25, burst: 1 }],
    [{ rps: 2.5 }, { rps: 2.5, burst: 3 }],
    [
      { rps: 2, burst: 10 },
      { rps: 2, burst: 10 },
    ],
  ])('a burst left out is the rate rounded up: %j', (fields, limit) => {
    const tenants = tenantsOf(configOf([{ id: 'a', ...fields }]));
    expect(tenants.get('a')?.rateLimit).toEqual(limit);
  });
});

test("ORCH-3006 one tenant's rate is not another's", () => {
  const tenants = tenantsOf(configOf([{ id: 'a', rps: 1 }, { id: 'b', rps: 1 }, { id: 'c' }]));
  const limits = new RateLimits(tenants.values());
  expect(limits.take('a', 0)).toBe(0);
  expect(limits.take('a', 0)).toBe(1_000);
  expect(limits.take('b', 0)).toBe(0);
  for (let i = 0; i < 100; i += 1) expect(limits.take('c', 0)).toBe(0);
  expect(limits.take('default', 0)).toBe(0);
});
