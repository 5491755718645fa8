/** Following a task: cut off, late, in numbers, slow. */
import assert from 'node:assert/strict';
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import { waitFor } from '../../src/wait-for.ts';
import { expectFields } from '../support/expected.ts';
import type { ScenarioWorld } from '../support/scenario-world.ts';
import { factsOf, Reader } from '../support/reader.ts';

/** What the kernel and this process may still hold of bytes that were sent before an acknowledgement, ms. */
const IN_FLIGHT_MS = 50;

async function follow(world: ScenarioWorld, name: string, after?: number): Promise<Reader> {
  const { id, client } = world.posted(name);
  return world.read(new Reader(id, client, await client.stream(id, after)));
}

/** All that there is to be shown of a task that has ended. */
async function wholeStream(world: ScenarioWorld, name: string): Promise<readonly object[]> {
  const { id, client } = world.posted(name);
  await using stream = await client.stream(id);
  await stream.toEnd();
  return factsOf(stream.events);
}

When('I follow {task} from the start', async function (this: ScenarioWorld, name: string) {
  await follow(this, name);
});

When(
  'I follow {task} after event {int}',
  async function (this: ScenarioWorld, name: string, after: number) {
    await follow(this, name, after);
  },
);

When('I follow {task} after its end', async function (this: ScenarioWorld, name: string) {
  const reader = this.reader(name);
  await reader.toEnd();
  await follow(this, name, reader.last.id);
});

When(
  '{int} more readers follow {task}',
  async function (this: ScenarioWorld, count: number, name: string) {
    await Promise.all(Array.from({ length: count }, () => follow(this, name)));
  },
);

Given('I have been shown {int} token(s)', async function (this: ScenarioWorld, count: number) {
  await this.reader().untilTokens(count);
});

When(
  'my connection breaks after {int} tokens and I come back',
  async function (this: ScenarioWorld, count: number) {
    await this.reader().untilTokens(count);
    await this.reader().comeBack();
  },
);

When('I come back', async function (this: ScenarioWorld) {
  await this.reader().comeBack();
});

When('I leave after {int} tokens', async function (this: ScenarioWorld, count: number) {
  await this.reader().untilTokens(count);
  await this.reader().stream.cut();
});

When('I stop reading', async function (this: ScenarioWorld) {
  await this.reader().untilTokens(1);
  this.reader().stream.pause();
});

When('I read on in the stream of {task}', function (this: ScenarioWorld, name: string) {
  this.reader(name).stream.resume();
});

Then(
  /^the stream(?: of task "([^"]+)")? is whole$/,
  async function (this: ScenarioWorld, name: string | null) {
    await this.reader(name ?? '').whole();
  },
);

Then('every stream is whole', async function (this: ScenarioWorld) {
  for (const reader of this.readers) await reader.whole();
});

/** Alike events in a row count as one: `started, then tokens, then metrics, then end`. */
Then(/^the stream shows (started.*)$/, async function (this: ScenarioWorld, words: string) {
  const reader = this.reader();
  await reader.toEnd();
  const kinds = reader.events.map(({ event }) => event);
  const shown = kinds.filter((kind, n) => kind !== kinds[n - 1]);
  assert.deepEqual(shown, words.replace('tokens', 'token').split(', then '));
});

/** With a finish reason, or with the code of an error. */
Then(
  /^the stream(?: of task "([^"]+)")? ends with (\w+|an error)$/,
  async function (this: ScenarioWorld, name: string | null, expected: string) {
    const { event, data } = await this.reader(name ?? '').toEnd();
    if (expected === 'an error') assert.equal(event, 'error');
    else assert.equal(event === 'end' ? data.finish_reason : data.code, expected);
  },
);

Then(
  /^the last event of the stream(?: of task "([^"]+)")? has$/,
  async function (this: ScenarioWorld, name: string | null, table: DataTable) {
    const { data } = await this.reader(name ?? '').toEnd();
    expectFields(data, table.raw());
  },
);

Then('the last metrics of the stream have', async function (this: ScenarioWorld, table: DataTable) {
  const reader = this.reader();
  await reader.toEnd();
  expectFields(reader.events.findLast(({ event }) => event === 'metrics')?.data, table.raw());
});

Then(
  'the stream says the same as the record of {task}',
  async function (this: ScenarioWorld, name: string) {
    const text = await this.reader(name).whole();
    assert.equal((await this.ended(name)).result?.text, text);
  },
);

Then('I was shown {int} tokens', async function (this: ScenarioWorld, count: number) {
  await this.reader().toEnd();
  assert.equal(this.reader().tokens.length, count);
});

Then('I am shown the whole stream', async function (this: ScenarioWorld) {
  await this.reader().whole();
  assert.deepEqual(factsOf(this.reader().events), await wholeStream(this, ''));
});

Then(
  'I am shown all but the first {int} events',
  async function (this: ScenarioWorld, count: number) {
    await this.reader().toEnd();
    assert.deepEqual(factsOf(this.reader().events), (await wholeStream(this, '')).slice(count));
  },
);

Then('I am shown nothing', async function (this: ScenarioWorld) {
  assert.equal(await this.reader().stream.ended, 'closed');
  assert.deepEqual(this.reader().events, []);
});

Then(
  'every reader of {task} is shown the same whole stream',
  async function (this: ScenarioWorld, name: string) {
    const { id } = this.posted(name);
    const readers = this.readers.filter(({ taskId }) => taskId === id);
    const [first] = readers;
    await first?.whole();
    for (const reader of readers) {
      await reader.toEnd();
      assert.deepEqual(factsOf(reader.events), factsOf(first?.events ?? []));
    }
  },
);

Then('no token comes behind the acknowledgement', async function (this: ScenarioWorld) {
  await this.reader().toEnd();
  const late = this.reader().tokens.filter(({ atMs }) => atMs > this.acknowledgedMs + IN_FLIGHT_MS);
  assert.deepEqual(late, []);
});

Then('the stream carries comments while it is idle', async function (this: ScenarioWorld) {
  const { stream } = this.reader();
  await waitFor('two comments', () => stream.comments >= 2);
  assert.deepEqual(stream.events, []);
});
