/** The life of the daemon itself. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Given, Then, When } from '@cucumber/cucumber';
import type { ErrorEnvelope } from '@llama-orch/contracts';
import { parse } from 'yaml';
import { runDaemon, untilGone } from '../../src/daemon-process.ts';
import { writeConfig, type ConfigInput } from '../../src/temp-config.ts';
import { waitFor } from '../../src/wait-for.ts';
import type { ScenarioWorld } from '../support/scenario-world.ts';
import type { Stage } from '../support/stage.ts';

const runFileOf = ({ daemon }: Stage): string => join(daemon.dataDir, 'orchestratord.json');

When('the daemon is killed and starts again', async function (this: ScenarioWorld) {
  const stage = await this.stage();
  await stage.daemon.kill9();
  await stage.daemon.restart();
  await stage.untilReady();
});

/** Without a grace to finish what runs. */
When('the daemon is stopped at once and starts again', async function (this: ScenarioWorld) {
  const stage = await this.stage();
  const { code, stderr } = await stage.daemon.terminate();
  assert.equal(code, 0, stderr);
  await stage.daemon.restart();
  await stage.untilReady();
});

When('the daemon is killed', async function (this: ScenarioWorld) {
  const { daemon } = await this.ownStage();
  this.orphans = daemon.children();
  assert.ok(this.orphans.length > 0);
  await daemon.kill9();
});

Then('its engines are gone', async function (this: ScenarioWorld) {
  await untilGone(this.orphans);
});

Given('the daemon has said where it listens', async function (this: ScenarioWorld) {
  const stage = await this.stage();
  const said: unknown = JSON.parse(readFileSync(runFileOf(stage), 'utf8'));
  assert.deepEqual(said, { url: stage.daemon.url, pid: stage.daemon.pid });
});

When('the daemon is stopped', async function (this: ScenarioWorld) {
  await (await this.ownStage()).daemon.terminate();
});

When('the daemon is told to stop', async function (this: ScenarioWorld) {
  (await this.ownStage()).daemon.signal('SIGTERM');
});

Then('it exits with {int}', async function (this: ScenarioWorld, code: number) {
  const exit = await (await this.stage()).daemon.untilExit(60_000);
  assert.equal(exit.code, code, exit.stderr);
});

Then('it no longer says where it listens', async function (this: ScenarioWorld) {
  assert.equal(existsSync(runFileOf(await this.stage())), false);
});

Then(
  'new tasks are refused with {int} {word}',
  async function (this: ScenarioWorld, status: number, code: string) {
    const client = await this.client();
    const refused = await waitFor('a refusal', async () => {
      const answer = await client.call('createTask', { body: { prompt: 'late' } });
      return answer.status !== 202 && answer;
    });
    assert.deepEqual([refused.status, (refused.body as ErrorEnvelope).code], [status, code]);
  },
);

When('the daemon starts again', async function (this: ScenarioWorld) {
  const stage = await this.stage();
  await stage.daemon.restart();
  await stage.untilReady();
});

When('I start a daemon with the configuration', async function (this: ScenarioWorld, yaml: string) {
  const directory = mkdtempSync(join(tmpdir(), 'llama-orch-bdd-'));
  try {
    const file = writeConfig(directory, parse(yaml) as ConfigInput);
    this.exit = await runDaemon(['--config', file, '--data-dir', join(directory, 'data')]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Exit 2, the place, and no stack trace. */
Then('it refuses to start and names {string}', function (this: ScenarioWorld, place: string) {
  const { code, stdout, stderr = '' } = this.exit ?? {};
  assert.deepEqual([code, stdout], [2, '']);
  assert.ok(stderr.includes(place), stderr);
  assert.doesNotMatch(stderr, /\n\s+at /);
});
