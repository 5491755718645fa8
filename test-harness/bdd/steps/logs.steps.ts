/** What the log and the events tell, and what they never do. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import type { EventPage } from '@llama-orch/contracts';
import { validateResponse } from '@llama-orch/contracts/responses';
import { ContractViolation } from '../../src/contract-check.ts';
import { waitFor } from '../../src/wait-for.ts';
import { eventually } from '../support/eventually.ts';
import { expectFields } from '../support/expected.ts';
import type { ScenarioWorld } from '../support/scenario-world.ts';

interface LedgerEvent {
  readonly type: string;
  readonly task_id?: string;
}

/** The log so far: a last task is logged behind everything that came before it. */
async function wholeLog(world: ScenarioWorld): Promise<string> {
  const stage = await world.stage();
  const mark = randomUUID();
  await stage.housekeeper().run({ prompt: 'p', max_tokens: 1 }, { 'x-correlation-id': mark });
  await waitFor('the last line', () => {
    return stage.daemon.stderr.includes(mark) && stage.daemon.stderr.endsWith('\n');
  });
  return stage.daemon.stderr;
}

async function allEvents(world: ScenarioWorld): Promise<readonly LedgerEvent[]> {
  const client = (await world.stage()).housekeeper();
  const events: LedgerEvent[] = [];
  for (let after = 0; ;) {
    const { body } = await client.call('listEvents', { query: { after, limit: 1_000 } });
    const { items, next_after: next } = body as EventPage;
    if (items.length === 0) return events;
    events.push(...(items as readonly LedgerEvent[]));
    after = next;
  }
}

async function neverSaid(world: ScenarioWorld, secret: string): Promise<void> {
  assert.ok(secret.length > 3);
  // As it would stand inside a JSON text.
  const escaped = JSON.stringify(secret).slice(1, -1);
  assert.ok(!(await wholeLog(world)).includes(escaped), 'it is in the log');
  assert.ok(!JSON.stringify(await allEvents(world)).includes(escaped), 'it is in an event');
}

Then(
  'the log says of {task}',
  async function (this: ScenarioWorld, name: string, table: DataTable) {
    const { daemon } = await this.stage();
    const { id } = this.posted(name);
    const [fields = [], ...rows] = table.raw();
    await eventually(() => {
      assert.ok(daemon.stderr.endsWith('\n'));
      const lines = daemon.logs().filter((line) => line['job_id'] === id);
      assert.equal(lines.length, rows.length, JSON.stringify(lines));
      for (const [n, row] of rows.entries()) {
        expectFields(
          lines[n],
          fields.map((field, at) => [field, row[at] ?? '']),
        );
      }
    });
  },
);

Then(
  'neither the log nor the events contain {string}',
  async function (this: ScenarioWorld, secret: string) {
    await neverSaid(this, secret);
  },
);

Then(
  'neither the log nor the events contain what was streamed',
  async function (this: ScenarioWorld) {
    await neverSaid(this, await this.reader().whole());
  },
);

Then('neither the log nor the events contain the key', async function (this: ScenarioWorld) {
  await neverSaid(this, this.secret ?? '');
});

Then(
  'the events tell of one acceptance of {task}',
  async function (this: ScenarioWorld, name: string) {
    const { id } = this.posted(name);
    const accepted = (await allEvents(this)).filter(
      ({ type, task_id: taskId }) => type === 'task.accepted' && taskId === id,
    );
    assert.equal(accepted.length, 1);
  },
);

function checkLedgerEvent(_event: string, data: unknown): void {
  const { ok } = validateResponse('listEvents', 200, { items: [data], next_after: 0 });
  if (!ok) throw new ContractViolation(`not an event: ${JSON.stringify(data)}`);
}

const seen = (world: ScenarioWorld) => [
  ...world.watched,
  ...(world.eventWatch?.events ?? []).map(({ id, data }) => ({ id, data: data })),
];

Given('I watch the events', async function (this: ScenarioWorld) {
  const { items } = (await this.send('GET', '/v1/events?limit=1000')).body as EventPage;
  const after = items.at(-1)?.seq ?? 0;
  this.eventWatch = await (
    await this.client()
  ).streamAt(`/v1/events?stream=true&after=${after}`, { check: checkLedgerEvent });
});

When('I stop watching', async function (this: ScenarioWorld) {
  await this.eventWatch?.cut();
  this.watched = seen(this);
  this.eventWatch = undefined;
});

When('I watch the events again', async function (this: ScenarioWorld) {
  this.eventWatch = await (
    await this.client()
  ).streamAt('/v1/events?stream=true', {
    check: checkLedgerEvent,
    headers: { 'last-event-id': String(this.watched.at(-1)?.id ?? 0) },
  });
});

Then(
  /^I see events of task "([^"]+)": (\w+(?:, \w+)*)$/,
  async function (this: ScenarioWorld, name: string, words: string) {
    const { id } = this.posted(name);
    const expected = words.split(', ').map((word) => `task.${word}`);
    await eventually(() => {
      const types = seen(this)
        .map(({ data }) => data as LedgerEvent)
        .flatMap(({ type, task_id: taskId }) => (taskId === id ? [type] : []));
      assert.deepEqual(
        types.filter((type) => expected.includes(type)),
        expected,
      );
    });
  },
);

Then('the numbers of the events have no gap', function (this: ScenarioWorld) {
  const ids = seen(this).map(({ id }) => id);
  assert.ok(ids.length > 0);
  assert.deepEqual(
    ids,
    ids.map((_, n) => (ids[0] ?? 0) + n),
  );
});
