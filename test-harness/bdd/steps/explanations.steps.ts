/** Why a task waited, and what it was promised. */
import assert from 'node:assert/strict';
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import type { ExplanationEntry, TaskExplanation } from '@llama-orch/contracts';
import { waitFor } from '../../src/wait-for.ts';
import { eventually } from '../support/eventually.ts';
import { isExpected } from '../support/expected.ts';
import type { ScenarioWorld } from '../support/scenario-world.ts';

async function storyOf(world: ScenarioWorld, name: string): Promise<readonly ExplanationEntry[]> {
  const { id, client } = world.posted(name);
  const { body } = await client.call('explainTask', { path: [id] });
  return (body as TaskExplanation).entries;
}

Then(
  '{task} explains itself',
  async function (this: ScenarioWorld, name: string, table: DataTable) {
    const rows = table.hashes();
    await eventually(async () => {
      const story = await storyOf(this, name);
      assert.deepEqual(
        story.map(({ kind }) => kind),
        rows.map(({ kind }) => kind),
      );
      for (const [n, { summary = '' }] of rows.entries()) {
        assert.ok(isExpected(story[n]?.summary, summary), `${story[n]?.summary} is not ${summary}`);
      }
    });
  },
);

Then(
  'the story of {task} contains in order',
  async function (this: ScenarioWorld, name: string, table: DataTable) {
    await this.ended(name);
    const rest = [...(await storyOf(this, name))];
    for (const { kind, reason } of table.hashes()) {
      const at = rest.findIndex((entry) => {
        const isReason = reason === '' || ('reason' in entry && entry.reason === reason);
        return entry.kind === kind && isReason;
      });
      assert.ok(at >= 0, `no ${kind} ${reason} in ${JSON.stringify(rest)}`);
      rest.splice(0, at + 1);
    }
  },
);

Then(
  '{task} explains that it waits because {string}',
  async function (this: ScenarioWorld, name: string, cause: string) {
    await eventually(async () => {
      const waiting = (await storyOf(this, name)).find(({ kind }) => kind === 'waiting');
      assert.equal(waiting?.kind === 'waiting' && waiting.cause, cause);
    });
  },
);

Then(
  '{task} explains that it waited because {string}',
  async function (this: ScenarioWorld, name: string, cause: string) {
    const waited = (await storyOf(this, name)).find((entry) => entry.kind === 'waited');
    const causes = (waited?.causes ?? []).map((each) => each.cause as string);
    assert.ok(causes.includes(cause), JSON.stringify(waited));
  },
);

Given('{task} has waited', async function (this: ScenarioWorld, name: string) {
  await waitFor('some wait', async () => {
    const waiting = (await storyOf(this, name)).find((entry) => entry.kind === 'waiting');
    return waiting !== undefined && waiting.waited_ms > 1;
  });
});

const promiseIn = (value: unknown): readonly unknown[] => {
  const told = value as Readonly<Record<string, unknown>>;
  const promise = [told['predicted_first_token_ms'], told['predicted_interval_ms']];
  assert.ok(promise.every((each) => each !== undefined));
  return promise;
};

When('I note the promise', function (this: ScenarioWorld) {
  this.promise = promiseIn(this.lastAnswer.body);
});

Then('{task} still carries the promise', async function (this: ScenarioWorld, name: string) {
  assert.deepEqual(promiseIn(await this.record(name)), this.promise);
});
