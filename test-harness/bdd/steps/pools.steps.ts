/** What operators do to pools, and what pools say of themselves. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import { waitFor } from '../../src/wait-for.ts';
import { eventually } from '../support/eventually.ts';
import { expectFields } from '../support/expected.ts';
import type { ScenarioWorld } from '../support/scenario-world.ts';
import { digestOfModel, STARTS_MS } from '../support/stage.ts';

const act = (world: ScenarioWorld, operation: string, body?: object) =>
  world.send('POST', `/v1/pools/default/${operation}`, body === undefined ? {} : { body });

When('I drain the pool, allowing {int} ms', async function (this: ScenarioWorld, ms: number) {
  await act(this, 'drain', { deadline_ms: ms });
});

When('I undrain the pool', async function (this: ScenarioWorld) {
  await act(this, 'undrain');
});

When('I reload the pool with {string}', async function (this: ScenarioWorld, model: string) {
  await act(this, 'reload', { new_model_ref: model });
});

When(
  'I start a canary of {string} for {int} percent',
  async function (this: ScenarioWorld, model: string, percent: number) {
    const { status, text } = await act(this, 'canary', { new_model_ref: model, percent });
    assert.equal(status, 202, text);
  },
);

When('I promote the canary', async function (this: ScenarioWorld) {
  const { status, text } = await act(this, 'promote');
  assert.equal(status, 202, text);
});

When('I roll back', async function (this: ScenarioWorld) {
  await act(this, 'rollback');
});

Given('the canary is ready', async function (this: ScenarioWorld) {
  const client = await this.client();
  await waitFor(
    'the canary',
    async () => {
      const { replicas } = await client.poolHealth();
      return replicas.some((each) => each.canary_percent !== undefined && each.state === 'ready');
    },
    STARTS_MS,
  );
});

/** Also when it ends where it began. */
Then('the change comes to an end', async function (this: ScenarioWorld) {
  const client = await this.client();
  const count = this.setUp.pools[0]?.engines;
  await waitFor(
    'the end of the change',
    async () => {
      const { change, replicas } = await client.poolHealth();
      const isReady = replicas.length === count && replicas.every(({ state }) => state === 'ready');
      return change === undefined && isReady;
    },
    STARTS_MS,
  );
});

Then("the pool's health has", async function (this: ScenarioWorld, table: DataTable) {
  const stage = await this.stage();
  const id = this.setUp.pools.at(-1)?.id;
  await eventually(async () => expectFields(await stage.housekeeper().poolHealth(id), table.raw()));
});

Given('the pool has given up', async function (this: ScenarioWorld) {
  const client = await this.client();
  await waitFor('the end of all tries', async () => {
    return (await client.poolHealth()).recoverable === false;
  });
});

Then(
  '{task} was served by the model {string}',
  async function (this: ScenarioWorld, name: string, model: string) {
    const { proof } = await this.ended(name);
    assert.equal(proof?.model_digest, digestOfModel(model));
  },
);

Then(
  'the last {int} tasks were served by the model {string}',
  async function (this: ScenarioWorld, count: number, model: string) {
    for (const { id, client } of this.tasks.slice(-count)) {
      const { proof } = await client.untilEnded(id);
      assert.equal(proof?.model_digest, digestOfModel(model));
    }
  },
);

/** All of 24 sessions on one side would be a chance of one in eight million. */
Then(
  'sessions are served by {string} and {string}, each by one of them',
  async function (this: ScenarioWorld, one: string, other: string) {
    const sides = await Promise.all(
      Array.from({ length: 24 }, async (_, n) => {
        const fields = { session_id: JSON.stringify(randomUUID()), max_tokens: '2' };
        const turns = [`session ${n}, first turn`, `session ${n}, second turn`];
        for (const turn of turns) {
          await (await this.postAndFollow(turn, this.fieldsOf(turn, fields))).whole();
        }
        const digests = await Promise.all(
          turns.map(async (turn) => (await this.ended(turn)).proof?.model_digest),
        );
        assert.equal(digests[0], digests[1]);
        return digests[0];
      }),
    );
    assert.deepEqual(new Set(sides), new Set([digestOfModel(one), digestOfModel(other)]));
  },
);

const loadedPools = async (world: ScenarioWorld): Promise<readonly string[]> => {
  const { daemon } = await world.stage();
  const all = await Promise.all(world.setUp.pools.map(({ id }) => daemon.client.poolHealth(id)));
  return all.flatMap(({ pool_id: id, replicas }) => (replicas.length > 0 ? [id] : []));
};

Then('no model is loaded', async function (this: ScenarioWorld) {
  assert.deepEqual(await loadedPools(this), []);
});

Then('only {string} is loaded', async function (this: ScenarioWorld, id: string) {
  assert.deepEqual(await loadedPools(this), [id]);
});
