/** Requests of any kind, and what an answer says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Given, Then, When, type DataTable } from '@cucumber/cucumber';
import type { ErrorEnvelope } from '@llama-orch/contracts';
import { exchange, parseAnswer } from '../../src/raw-socket.ts';
import { PROJECT_ROOT } from '../../src/temp-config.ts';
import { expectFields } from '../support/expected.ts';
import type { ScenarioWorld } from '../support/scenario-world.ts';
import { secretOf } from '../support/set-up.ts';

const STRANGER = secretOf('a stranger');

Given('I use the key {string}', function (this: ScenarioWorld, id: string) {
  this.secret = secretOf(id);
});

Given('I use no key', function (this: ScenarioWorld) {
  this.secret = undefined;
});

Given('I use a key that nobody issued', function (this: ScenarioWorld) {
  this.secret = STRANGER;
});

Given('my requests carry the header {string}', function (this: ScenarioWorld, header: string) {
  const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(header) ?? [];
  this.headers = { ...this.headers, [name.toLowerCase()]: value };
});

When('I ask for {string}', async function (this: ScenarioWorld, path: string) {
  await this.send('GET', path);
});

When('I send {word} {string}', async function (this: ScenarioWorld, method: string, path: string) {
  await this.send(method, path);
});

When(
  'I send {word} {string} as {string}',
  async function (
    this: ScenarioWorld,
    method: string,
    path: string,
    type: string,
    rawBody: string,
  ) {
    await this.send(method, path, { rawBody, headers: { 'content-type': type } });
  },
);

When(
  'I announce a task of {int} MB and send nothing of it',
  async function (this: ScenarioWorld, megabytes: number) {
    const { daemon } = await this.stage();
    const length = megabytes * 1_000_000;
    const head = `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
    this.keep(parseAnswer(await exchange(daemon.url, head)));
  },
);

/** `202`, or with the code of a refusal: `429 ADMISSION_REJECT`. */
Then(
  /^the answer is (\d{3})(?: ([A-Z_]+))?$/,
  function (this: ScenarioWorld, status: string, code: string | null) {
    const { status: actual, body, text } = this.lastAnswer;
    assert.equal(actual, Number(status), text);
    if (code !== null) assert.equal((body as ErrorEnvelope).code, code, text);
  },
);

Then('the answer has', function (this: ScenarioWorld, table: DataTable) {
  expectFields(this.lastAnswer.body, table.raw());
});

Then(/^the answer names ("[^"]*"(?:, "[^"]*")*)$/, function (this: ScenarioWorld, paths: string) {
  const { body, text } = this.lastAnswer;
  const named = ((body as ErrorEnvelope).details ?? []).map(({ path }) => path);
  for (const [, path = ''] of paths.matchAll(/"([^"]*)"/g)) assert.ok(named.includes(path), text);
});

Then('the answer contains {string}', function (this: ScenarioWorld, expected: string) {
  assert.ok(this.lastAnswer.text.includes(expected), this.lastAnswer.text);
});

Then('the answer does not contain {string}', function (this: ScenarioWorld, unexpected: string) {
  assert.ok(!this.lastAnswer.text.includes(unexpected), this.lastAnswer.text);
});

Then('the answer is the one before', function (this: ScenarioWorld) {
  const { status, text } = this.lastAnswer;
  assert.deepEqual([status, text], [this.answerBefore?.status, this.answerBefore?.text]);
});

Then('the answer is another than the one before', function (this: ScenarioWorld) {
  assert.notEqual(this.lastAnswer.text, this.answerBefore?.text);
});

Then('the answer is the file {string}', function (this: ScenarioWorld, path: string) {
  assert.equal(this.lastAnswer.text, readFileSync(join(PROJECT_ROOT, path), 'utf8'));
});

Then(
  'its header {string} matches {string}',
  function (this: ScenarioWorld, name: string, pattern: string) {
    assert.match(String(this.lastAnswer.headers[name.toLowerCase()]), new RegExp(pattern));
  },
);

/** The body in milliseconds, `Retry-After` in seconds rounded up, and for a 429 `X-Backoff-Ms` the same. */
Then('it says when to come back', function (this: ScenarioWorld) {
  const { status, headers, body } = this.lastAnswer;
  const { retry_after_ms: waitMs = 0 } = body as ErrorEnvelope;
  assert.ok(waitMs > 0);
  assert.equal(headers['retry-after'], String(Math.ceil(waitMs / 1000)));
  if (status === 429) assert.equal(headers['x-backoff-ms'], String(waitMs));
});
