/** Conversations: turns, warmth, and their end. */
import assert from 'node:assert/strict';
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import type { SessionInfo } from '@llama-orch/contracts';
import { waitFor } from '../../src/wait-for.ts';
import { expectFields } from '../support/expected.ts';
import { fieldsOfRows, type ScenarioWorld, type TaskFields } from '../support/scenario-world.ts';
import type { Reader } from '../support/reader.ts';

/** Every turn says the same, so that a later one finds what an earlier one left. */
async function takeTurn(world: ScenarioWorld, name = '', given: TaskFields = {}): Promise<void> {
  const turn = { session_id: world.sessionId, prompt: 'Write a haiku about rain.', seed: 11 };
  const fields = Object.entries({ ...turn, max_tokens: 8 }).map(([key, value]) => [
    key,
    JSON.stringify(value),
  ]);
  const all = { ...(Object.fromEntries(fields) as TaskFields), ...given };
  await (await world.postAndFollow(name, world.fieldsOf('a turn', all))).whole();
}

function startOf(reader: Reader | undefined) {
  const [first] = reader?.events ?? [];
  assert.equal(first?.event, 'started');
  return first.data;
}

const sessionPath = (world: ScenarioWorld): string => `/v1/sessions/${world.sessionId}`;

When(
  /^I take a turn in the session(?: called "([^"]+)")?$/,
  async function (this: ScenarioWorld, name: string | null) {
    await takeTurn(this, name ?? '');
  },
);

When(
  'I take a turn in the session called {string} with',
  async function (this: ScenarioWorld, name: string, table: DataTable) {
    await takeTurn(this, name, fieldsOfRows(table.raw()));
  },
);

Given('I take {int} turns in the session', async function (this: ScenarioWorld, count: number) {
  for (let n = 0; n < count; n += 1) await takeTurn(this);
});

Then('the turn ran cold', function (this: ScenarioWorld) {
  assert.equal(startOf(this.readers.at(-1)).kv_warmth, false);
});

Then('the turn ran warm, on the replica of the one before', function (this: ScenarioWorld) {
  const { kv_warmth: isWarm, replica_id: replica } = startOf(this.readers.at(-1));
  assert.equal(isWarm, true);
  assert.equal(replica, startOf(this.readers.at(-2)).replica_id);
});

Then('the session has', async function (this: ScenarioWorld, table: DataTable) {
  const { body } = await this.send('GET', sessionPath(this));
  expectFields(body, table.raw());
});

Then('the session is gone', async function (this: ScenarioWorld) {
  assert.equal((await this.send('GET', sessionPath(this))).status, 404);
});

When("the session's time is over", async function (this: ScenarioWorld) {
  const client = await this.client();
  await waitFor('the end of the session', async () => {
    return (await client.call('getSession', { path: [this.sessionId] })).status === 404;
  });
});

When('I delete the session', async function (this: ScenarioWorld) {
  await this.send('DELETE', sessionPath(this));
});

Then('the session loses its warmth', async function (this: ScenarioWorld) {
  await waitFor('the loss', async () => {
    const { body } = await this.send('GET', sessionPath(this));
    return (body as SessionInfo).kv_warmth === false;
  });
});
