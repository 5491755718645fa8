import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

interface Family {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const lint = JSON.parse(
  readFileSync(new URL('../../../ci/metrics.lint.json', import.meta.url), 'utf8'),
) as { readonly families: readonly Family[] };

const spec = readFileSync(
  new URL('../../../.specs/71-metrics-contract.md', import.meta.url),
  'utf8',
);

interface Registered {
  readonly name: string;
  readonly labelNames: readonly string[];
}

test('OC-METRICS-7101 OC-METRICS-7102 the daemon exports the families of the list, and no other', async () => {
  const { registry } = createMetrics();
  const types = await registry.getMetricsAsJSON();
  const exported = registry.getMetricsAsArray().map((metric): Family => {
    const { name, labelNames } = metric as unknown as Registered;
    const type = types.find((each) => each.name === name)?.type;
    return { name, type: String(type), labels: labelNames };
  });
  expect(byName(exported)).toEqual(byName(lint.families));
});

test('the list and the spec name the same families with the same labels', () => {
  const rows = [...spec.matchAll(/^\| `(\w+)`\s*\| (\w+)\s*\|([^|]*)\|/gm)].map(
    ([, name = '', type = '', labels = '']): Family => ({
      name,
      type,
      labels: labels.split(' ').filter((label) => label !== ''),
    }),
  );
  expect(byName(rows)).toEqual(byName(lint.families));
});

function byName(families: readonly Family[]): Family[] {
  return families
    .map((family) => ({ ...family, labels: [...family.labels].sort() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
