/** Posting tasks, and what became of them. */
import assert from 'node:assert/strict';
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import type { Task, TaskPage, TaskRequest } from '@llama-orch/contracts';
import type { Answer } from '../../src/contract-check.ts';
import { waitFor } from '../../src/wait-for.ts';
import { expectFields } from '../support/expected.ts';
import { fieldsOfRows, type ScenarioWorld, type TaskFields } from '../support/scenario-world.ts';

type Priority = NonNullable<TaskRequest['priority']>;

/** From `a`, `a batch`, `an interactive`. */
function priorityOf(words: string): TaskFields {
  const priority = /batch|interactive/.exec(words)?.[0] as Priority | undefined;
  return priority === undefined ? {} : { priority: JSON.stringify(priority) };
}

const SINGULAR = /^I post (a|a batch|an interactive) task(?: called "([^"]+)")?$/;
const SINGULAR_WITH = /^I post (a|a batch|an interactive) task(?: called "([^"]+)")? with$/;
const FOLLOWED = /^I post and follow (a|a batch|an interactive) task(?: called "([^"]+)")?$/;
const FOLLOWED_WITH =
  /^I post and follow (a|a batch|an interactive) task(?: called "([^"]+)")? with$/;

When(SINGULAR, async function (this: ScenarioWorld, kind: string, name: string | null) {
  await this.post(name ?? '', this.fieldsOf(name ?? 'it', priorityOf(kind)));
});

When(
  SINGULAR_WITH,
  async function (this: ScenarioWorld, kind: string, name: string | null, table: DataTable) {
    const given = { ...priorityOf(kind), ...fieldsOfRows(table.raw()) };
    await this.post(name ?? '', this.fieldsOf(name ?? 'it', given));
  },
);

When(FOLLOWED, async function (this: ScenarioWorld, kind: string, name: string | null) {
  await this.postAndFollow(name ?? '', this.fieldsOf(name ?? 'it', priorityOf(kind)));
});

When(
  FOLLOWED_WITH,
  async function (this: ScenarioWorld, kind: string, name: string | null, table: DataTable) {
    const given = { ...priorityOf(kind), ...fieldsOfRows(table.raw()) };
    await this.postAndFollow(name ?? '', this.fieldsOf(name ?? 'it', given));
  },
);

When('I post and follow {int} tasks', async function (this: ScenarioWorld, count: number) {
  for (let n = 1; n <= count; n += 1) await this.postAndFollow(String(n), this.fieldsOf(`${n}`));
});

Given('I post and follow a task that ends when I leave', async function (this: ScenarioWorld) {
  await this.postAndFollow('', this.fieldsOf('leaving'), '?cancel_on_disconnect=true');
});

/** They are called 1, 2, 3, …; the answer is that to the last one. */
When(
  /^I post (\d+) (?:(batch|interactive) )?tasks$/,
  async function (this: ScenarioWorld, count: string, kind: string | null) {
    for (let n = 1; n <= Number(count); n += 1) {
      await this.post(String(n), this.fieldsOf(`${n}`, priorityOf(kind ?? '')));
    }
  },
);

When('I post the body', async function (this: ScenarioWorld, rawBody: string) {
  const answer = await this.send('POST', '/v1/tasks', { rawBody });
  if (answer.status !== 202) return;
  const { task_id: id } = answer.body as { readonly task_id: string };
  this.tasks.push({ name: '', id, fields: {}, client: await this.client() });
});

When(
  'I post a task with a prompt of {int} characters',
  async function (this: ScenarioWorld, length: number) {
    await this.post('', this.fieldsOf('', { prompt: JSON.stringify('x'.repeat(length)) }));
  },
);

When(
  'I post a task with ten times the earliest feasible deadline',
  async function (this: ScenarioWorld) {
    const { earliest_feasible_ms: ms } = this.lastAnswer.body as { earliest_feasible_ms: number };
    await this.post('', this.fieldsOf('a little later', { deadline_ms: String(10 * ms) }));
  },
);

When('I post {task} again', async function (this: ScenarioWorld, name: string) {
  const { fields } = this.posted(name);
  await this.post(name, fields);
});

When(
  'I post {task} again with',
  async function (this: ScenarioWorld, name: string, table: DataTable) {
    const { fields } = this.posted(name);
    await this.post(name, { ...fields, ...fieldsOfRows(table.raw()) });
  },
);

When(
  'I post the same task {int} times at once',
  async function (this: ScenarioWorld, count: number) {
    const fields = this.fieldsOf('many copies');
    this.answers = await Promise.all(
      Array.from({ length: count }, (): Promise<Answer> => this.post('', fields)),
    );
  },
);

Then('all {int} answers are the same', function (this: ScenarioWorld, count: number) {
  assert.equal(this.answers.length, count);
  const [first] = this.answers;
  assert.equal(first?.status, 202);
  for (const { status, text } of this.answers) assert.deepEqual([status, text], [202, first.text]);
});

Then('{task} completes', async function (this: ScenarioWorld, name: string) {
  const task = await this.ended(name);
  assert.equal(task.state, 'completed', JSON.stringify(task.error));
});

Then('all tasks complete', async function (this: ScenarioWorld) {
  for (const { id, client } of this.tasks) {
    const task = await client.untilEnded(id, 60_000);
    assert.equal(task.state, 'completed', JSON.stringify(task.error));
  }
});

Then('{task} is canceled', async function (this: ScenarioWorld, name: string) {
  const { state, finish_reason: reason } = await this.ended(name);
  assert.deepEqual([state, reason], ['canceled', 'canceled']);
});

Then('{task} fails with {word}', async function (this: ScenarioWorld, name: string, code: string) {
  const { state, error } = await this.ended(name);
  assert.deepEqual([state, error?.code], ['failed', code]);
});

Then('{task} is waiting', async function (this: ScenarioWorld, name: string) {
  assert.equal((await this.record(name)).state, 'queued');
});

Then('{task} goes back to waiting', async function (this: ScenarioWorld, name: string) {
  await waitFor(
    'the return to the queue',
    async () => (await this.record(name)).state === 'queued',
  );
});

Then('every task that was accepted is waiting', async function (this: ScenarioWorld) {
  for (const { id, client } of this.tasks) assert.equal((await client.task(id)).state, 'queued');
});

Then('{task} never ran', async function (this: ScenarioWorld, name: string) {
  assert.equal((await this.ended(name)).attempts, 0);
});

Then('{task} has', async function (this: ScenarioWorld, name: string, table: DataTable) {
  expectFields(await this.ended(name), table.raw());
});

Then('{task} ran before {task}', async function (this: ScenarioWorld, early: string, late: string) {
  const startOf = async (name: string): Promise<number> =>
    (await this.ended(name)).started_at_ms ?? NaN;
  const endOf = async (name: string): Promise<number> =>
    (await this.ended(name)).ended_at_ms ?? NaN;
  // With one slot the later one cannot begin before the earlier one is over.
  assert.ok((await endOf(early)) <= (await startOf(late)), `${late} began before ${early} ended`);
});

const textOf = ({ result }: Task): string => {
  assert.ok(typeof result?.text === 'string' && result.text !== '', 'it has no text');
  return result.text;
};

Then(
  '{task} says the same as {task}',
  async function (this: ScenarioWorld, name: string, other: string) {
    assert.equal(textOf(await this.ended(name)), textOf(await this.ended(other)));
  },
);

Then(
  '{task} says something else than {task}',
  async function (this: ScenarioWorld, name: string, other: string) {
    assert.notEqual(textOf(await this.ended(name)), textOf(await this.ended(other)));
  },
);

Then(
  'tasks {string} and {string} run on different replicas',
  async function (this: ScenarioWorld, one: string, other: string) {
    const replicas = [await this.record(one), await this.record(other)].map(
      ({ replica }) => replica?.replica_id,
    );
    assert.ok(replicas.every((replica) => replica !== undefined));
    assert.equal(new Set(replicas).size, 2);
  },
);

Then(
  'the record of {task} contains {string}',
  async function (this: ScenarioWorld, name: string, text: string) {
    const { id, client } = this.posted(name);
    const { text: record } = await client.call('getTask', { path: [id] });
    assert.ok(record.includes(text), record);
  },
);

Then(
  'the proof of {task} is the digest of what was streamed',
  async function (this: ScenarioWorld, name: string) {
    const { proof } = await this.ended(name);
    const end = await this.reader(name).toEnd();
    await this.reader(name).whole();
    assert.equal(end.event, 'end');
    assert.equal(proof?.output_sha256, end.data.output_sha256);
  },
);

When('I cancel {task}', async function (this: ScenarioWorld, name: string) {
  await this.send('POST', `/v1/tasks/${this.posted(name).id}/cancel`);
  this.acknowledgedMs = performance.now();
});

When('{task} is swept', async function (this: ScenarioWorld, name: string) {
  const { id, client } = this.posted(name);
  await waitFor('the sweep', async () => {
    return (await client.call('getTask', { path: [id] })).status === 404;
  });
});

When('I list the tasks', async function (this: ScenarioWorld) {
  await this.send('GET', '/v1/tasks');
  this.listed = (this.lastAnswer.body as TaskPage).items;
});

When('I list the tasks with', async function (this: ScenarioWorld, table: DataTable) {
  const query = new URLSearchParams(table.rowsHash()).toString();
  await this.send('GET', `/v1/tasks?${query}`);
  this.listed = (this.lastAnswer.body as TaskPage).items;
});

Then(
  /^the list begins with ("[^"]+"(?:, "[^"]+")*)$/,
  function (this: ScenarioWorld, names: string) {
    const ids = [...names.matchAll(/"([^"]+)"/g)].map(([, name]) => this.posted(name).id);
    assert.deepEqual(
      this.listed.slice(0, ids.length).map(({ task_id: id }) => id),
      ids,
    );
  },
);

Then('{task} is not in the list', function (this: ScenarioWorld, name: string) {
  const ids = this.listed.map(({ task_id: id }) => id);
  assert.ok(!ids.includes(this.posted(name).id));
});
