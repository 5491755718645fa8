/** Engines that are busy, fail, or die. */
import assert from 'node:assert/strict';
import { Given, Then, When } from '@cucumber/cucumber';
import type { SimFault } from '../../engines/kit/faults.ts';
import { taskIdOf } from '../../src/event-stream.ts';
import { waitFor } from '../../src/wait-for.ts';
import { eventually } from '../support/eventually.ts';
import type { ScenarioWorld } from '../support/scenario-world.ts';

/** What an engine does to a stream, in the words of features. */
const MISBEHAVIOURS = {
  'drop the connection': 'cut',
  'end without an end': 'eof',
  'speak garbage': 'garbage',
  'report an error': 'error-in-stream',
  stall: 'stall',
} as const satisfies Record<string, SimFault['kind']>;
type Misbehaviour = keyof typeof MISBEHAVIOURS;

/** Whichever engine is asked next fails: each of them does, so many times. */
async function failNext(world: ScenarioWorld, fault: SimFault, times = 1): Promise<void> {
  for (const engine of (await world.stage()).enginesOf()) engine.addFault(fault, times);
}

Given(
  /^the engines will (drop the connection|end without an end|speak garbage|report an error|stall) after (\d+) tokens?(?:, (\d+) times)?$/,
  async function (this: ScenarioWorld, words: Misbehaviour, after: string, times: string | null) {
    const fault = { kind: MISBEHAVIOURS[words], after_tokens: Number(after) };
    await failNext(this, fault, Number(times ?? 1));
  },
);

Given('the engines will refuse with {int}', async function (this: ScenarioWorld, status: number) {
  await failNext(this, { kind: 'http', status });
});

Given(
  'the engines will refuse with {int} and say {string}',
  async function (this: ScenarioWorld, status: number, message: string) {
    await failNext(this, { kind: 'http', status, type: 'invalid_request_error', message });
  },
);

Given(
  'the engine is known to need {int} ms for its first token',
  async function (this: ScenarioWorld, ms: number) {
    const lessons = 15;
    await failNext(this, { kind: 'slow-first', ms }, lessons);
    const client = await this.client();
    for (let n = 0; n < lessons; n += 1) await client.run({ prompt: `lesson ${n}` });
  },
);

/** Tasks that stop after their first token hold the slots, and are no tasks of the scenario. */
Given('every slot is taken', async function (this: ScenarioWorld) {
  const { engines } = await this.stage();
  const client = await this.client();
  for (const engine of [...engines.values()].flat()) {
    engine.addFault({ kind: 'stall', after_tokens: 1 }, engine.options.slots);
    for (let n = 0; n < engine.options.slots; n += 1) {
      await using stream = await client.postStream({ prompt: `holds slot ${n}` });
      await stream.until('a token', () => stream.tokens.length > 0, 60_000);
      this.holders.push({ id: taskIdOf(stream), client });
    }
  }
});

When('the slots come free', async function (this: ScenarioWorld) {
  for (const { id, client } of this.holders.splice(0)) await client.cancel(id);
});

Then('every slot is free again', async function (this: ScenarioWorld) {
  const stage = await this.stage();
  const { metrics } = await stage.housekeeper().poolHealth();
  await eventually(async () => {
    const { running, slots_free: free } = (await stage.housekeeper().poolHealth()).metrics;
    assert.deepEqual([running, free], [0, metrics.slots_total]);
    for (const engine of stage.enginesOf()) assert.equal(engine.stats.busySlots, 0);
  });
});

Then('the engines have answered each of them', async function (this: ScenarioWorld) {
  const finished = (await this.stage())
    .enginesOf()
    .reduce((sum, engine) => sum + engine.stats.finished, 0);
  assert.ok(finished >= this.tasks.length, `${finished} of ${this.tasks.length}`);
});

When('the engine of {task} is killed', async function (this: ScenarioWorld, name: string) {
  const { daemon } = await this.stage();
  const { replica } = await this.record(name);
  const { replicas } = await daemon.client.poolHealth();
  const victim = replicas.find((each) => each.replica_id === replica?.replica_id);
  const { port } = new URL(victim?.url ?? '');
  const engine = daemon.children().find(({ command }) => command.includes(` --port ${port}`));
  assert.ok(engine !== undefined, `no engine listens on ${port}`);
  this.killed = engine.pid;
  process.kill(engine.pid, 'SIGKILL');
});

When('the engines are killed', async function (this: ScenarioWorld) {
  const { daemon } = await this.stage();
  const engines = daemon.children().filter(({ command }) => command.includes('tiny-haiku'));
  assert.ok(engines.length > 0);
  for (const { pid } of engines) process.kill(pid, 'SIGKILL');
});

Then(
  '{int} engines are ready, one of them new',
  async function (this: ScenarioWorld, count: number) {
    const { daemon } = await this.stage();
    await waitFor(
      'the new engine',
      async () => {
        const { replicas } = await daemon.client.poolHealth();
        const ready = replicas.filter(({ state }) => state === 'ready');
        return ready.length === count && ready.some(({ restarts }) => restarts > 0);
      },
      60_000,
    );
    assert.ok(!daemon.children().some(({ pid }) => pid === this.killed));
  },
);
