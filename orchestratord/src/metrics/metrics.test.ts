import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

const lint = JSON.parse(
  readFileSync(new URL('../../../ci/metrics.lint.json', import.meta.url), 'utf8'),
) as { readonly families: readonly Family[] };

interface Registered {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

test('OC-METRICS-7101 OC-METRICS-7102 the daemon exports the families of the list, and no other', async () => {
  const { registry } = createMetrics();
  const types = await registry.getMetricsAsJSON();
  const exported = registry.getMetricsAsArray().map((metric): Family => {
    const { name, help, labelNames } = metric as unknown as Registered;
    const type = types.find((each) => each.name === name)?.type;
    return { name, type: String(type), help, labels: labelNames };
  });
  expect(byName(exported)).toEqual(byName(lint.families));
});

function byName(families: readonly Family[]): Family[] {
  return families
    .map(({ name, type, help, labels }) => ({ name, type, help, labels: labels.toSorted() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
