/** What there is: pools and their engines, the configuration, keys and models. The daemon starts when it is needed. */
import { Given, type DataTable } from '@cucumber/cucumber';
import { parse } from 'yaml';
import type { ScenarioWorld } from '../support/scenario-world.ts';
import { newPool, type AccessKey, type PoolSetUp, type SetUp } from '../support/set-up.ts';

Given(
  /^a pool(?: "([^"]+)")? of (\d+) (vLLM )?engines? with (\d+) slots?(?: each)?$/,
  function (
    this: ScenarioWorld,
    id: string | null,
    engines: string,
    vllm: string | null,
    slots: string,
  ) {
    this.addPool(
      newPool({
        id: id ?? 'default',
        kind: vllm === null ? 'llamacpp' : 'vllm',
        engines: Number(engines),
        slots: Number(slots),
        ...(id === null ? {} : { overrides: { model: { id, served_name: 'sim' } } }),
      }),
    );
  },
);

Given('a pool of {int} built-in engine(s)', function (this: ScenarioWorld, engines: number) {
  this.addPool(newPool({ home: 'built-in', engines }));
});

Given(
  'a pool of {int} engine(s) that the daemon starts',
  function (this: ScenarioWorld, engines: number) {
    this.addPool(newPool({ home: 'started', engines }));
  },
);

Given(
  'a pool {string} of {int} engine(s) that the daemon starts when it is asked for',
  function (this: ScenarioWorld, id: string, engines: number) {
    const swap = { min_residency_ms: 0, load_ms: 300 };
    const overrides = { model: { id }, keep_alive_ms: -1, swap };
    this.addPool(newPool({ id, home: 'started', engines, overrides }));
  },
);

Given('a pool whose engines are on hosts', function (this: ScenarioWorld) {
  this.addPool(newPool({ home: 'on-hosts' }));
});

Given('a pool {string} whose engines are on hosts', function (this: ScenarioWorld, id: string) {
  this.addPool(newPool({ id, home: 'on-hosts' }));
});

Given(
  'engines that say {int} token(s), {int} ms apart',
  function (this: ScenarioWorld, tokens: number, tokenDelayMs: number) {
    this.describe({ answers: { tokens, tokenDelayMs } });
  },
);

Given(
  'a queue for {int} task(s) with the policy {string}',
  function (this: ScenarioWorld, capacity: number, policy: string) {
    const queue = { capacity, full_policy: policy as 'reject' };
    this.changePool((pool) => ({ ...pool, overrides: { ...pool.overrides, queue } }));
  },
);

Given('the pool is configured with', function (this: ScenarioWorld, yaml: string) {
  const overrides = parse(yaml) as PoolSetUp['overrides'];
  this.changePool((pool) => ({ ...pool, overrides: { ...pool.overrides, ...overrides } }));
});

Given('the daemon is configured with', function (this: ScenarioWorld, yaml: string) {
  this.describe({ config: { ...this.setUp.config, ...(parse(yaml) as SetUp['config']) } });
});

Given('the pool serves the model {string}', function (this: ScenarioWorld, name: string) {
  this.changePool((pool) => ({ ...pool, modelFile: name }));
});

Given('the model {string} is known', function (this: ScenarioWorld, name: string) {
  this.describe({ models: [...this.setUp.models, { name, isForged: false }] });
});

Given(
  'the model {string} is known, but its file is another',
  function (this: ScenarioWorld, name: string) {
    this.describe({ models: [...this.setUp.models, { name, isForged: true }] });
  },
);

Given('the keys', function (this: ScenarioWorld, table: DataTable) {
  this.describe({
    keys: table.hashes().map(({ key = '', tenant = '', scopes = '' }) => ({
      id: key,
      tenant,
      scopes: scopes.split(', ') as unknown as AccessKey['scopes'],
    })),
  });
});
