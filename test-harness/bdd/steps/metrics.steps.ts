/** What `/metrics` tells. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Given, Then, type DataTable } from '@cucumber/cucumber';
import { parseMetrics, sumOf, type Scrape } from '../../src/metrics-text.ts';
import { PROJECT_ROOT } from '../../src/temp-config.ts';
import { eventually } from '../support/eventually.ts';
import { isExpected } from '../support/expected.ts';
import type { ScenarioWorld } from '../support/scenario-world.ts';

interface MetricsLint {
  readonly families: readonly { readonly name: string; readonly type: string }[];
}

async function read(world: ScenarioWorld): Promise<Scrape> {
  const { text } = await (await world.stage()).housekeeper().call('getMetrics');
  return parseMetrics(text);
}

/** From `a="1", b="2"`. */
function labelsOf(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

Given('I have read the metrics', async function (this: ScenarioWorld) {
  this.scrape = await read(this);
});

Then('these metrics have grown', async function (this: ScenarioWorld, table: DataTable) {
  const { scrape: before } = this;
  assert.ok(before !== undefined, 'the metrics were not read before');
  await eventually(async () => {
    const now = await read(this);
    for (const { name = '', labels = '', by } of table.hashes()) {
      const grown: number =
        sumOf(now, name, labelsOf(labels)) - sumOf(before, name, labelsOf(labels));
      assert.equal(grown, Number(by), `${name}{${labels}} has grown by ${grown}`);
    }
  });
});

Then('the metrics say', async function (this: ScenarioWorld, table: DataTable) {
  await eventually(async () => {
    const { samples } = await read(this);
    for (const { name = '', labels = '', value = '' } of table.hashes()) {
      const wanted = Object.entries(labelsOf(labels));
      const found = samples.filter(
        (each) =>
          each.name === name && wanted.every(([label, text]) => each.labels[label] === text),
      );
      assert.ok(found.length > 0, `there is no ${name}{${labels}}`);
      const sum = found.reduce((total, each) => total + each.value, 0);
      assert.ok(isExpected(sum, value), `${name}{${labels}} is ${sum}`);
    }
  });
});

Then('the metrics are those of the contract, with its types', async function (this: ScenarioWorld) {
  const lint = readFileSync(join(PROJECT_ROOT, 'ci', 'metrics.lint.json'), 'utf8');
  const { families } = JSON.parse(lint) as MetricsLint;
  assert.deepEqual(
    new Map([...(await read(this)).families].toSorted()),
    new Map(families.map(({ name, type }) => [name, type] as const).toSorted()),
  );
});
