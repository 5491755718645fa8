/** Hosts with engines of their own: pool-managerd as a process. */
import assert from 'node:assert/strict';
import { Then, When, type DataTable } from '@cucumber/cucumber';
import type { HostView } from '@llama-orch/contracts';
import { startHost, type HostConfigInput, type HostProcess } from '../../src/host-process.ts';
import { simulatorPool } from '../../src/temp-config.ts';
import { waitFor } from '../../src/wait-for.ts';
import { eventually } from '../support/eventually.ts';
import { expectFields } from '../support/expected.ts';
import type { ScenarioWorld } from '../support/scenario-world.ts';
import { STARTS_MS } from '../support/stage.ts';

/** Short, so that a host that is lost is soon given up. */
const LEASE_TTL_MS = 1_500;

async function start(world: ScenarioWorld, id: string, engines: number): Promise<HostProcess> {
  const { daemon } = await world.ownStage();
  const { tokens, tokenDelayMs } = world.setUp.answers;
  const flags = ['--tokens', String(tokens), '--token-delay-ms', String(tokenDelayMs)];
  const { id: pool, launch, model, command, ctx, restart } = simulatorPool(flags);
  const host = await startHost({
    host_id: id,
    orchestrator: { url: daemon.url },
    lease_ttl_ms: LEASE_TTL_MS,
    pools: [
      { id: pool, launch, model, command, ctx, restart, replicas: engines } as NonNullable<
        HostConfigInput['pools']
      >[number],
    ],
  });
  world.hosts.set(id, host);
  return host;
}

const readyOn = async (world: ScenarioWorld, engines: number): Promise<void> => {
  await (await world.stage()).housekeeper().untilReady(engines, 'default', STARTS_MS);
};

function hostOf(world: ScenarioWorld, id: string): HostProcess {
  const host = world.hosts.get(id);
  if (host === undefined) throw new Error(`no host ${id} was started`);
  return host;
}

const listed = async (world: ScenarioWorld): Promise<readonly HostView[]> => {
  const { body } = await (await world.stage()).housekeeper().call('listHosts');
  return (body as { readonly items: readonly HostView[] }).items;
};

When(
  'host {string} registers with {int} engine(s)',
  async function (this: ScenarioWorld, id: string, engines: number) {
    await start(this, id, engines);
    await readyOn(this, engines);
  },
);

When(
  'host {string} tries to register with {int} engine(s)',
  async function (this: ScenarioWorld, id: string, engines: number) {
    await start(this, id, engines);
  },
);

Then(
  'host {string} is refused with {word}',
  async function (this: ScenarioWorld, id: string, code: string) {
    const host = hostOf(this, id);
    await waitFor('the refusal', () => host.logs().some((line) => line['code'] === code));
  },
);

When('host {string} is stopped', async function (this: ScenarioWorld, id: string) {
  const { code, stderr } = await hostOf(this, id).terminate();
  assert.equal(code, 0, stderr);
});

When('host {string} is killed and starts again', async function (this: ScenarioWorld, id: string) {
  const host = hostOf(this, id);
  await host.kill9();
  await host.start();
  await readyOn(this, 1);
});

Then('the hosts are', async function (this: ScenarioWorld, table: DataTable) {
  const [names = [], ...rows] = table.raw();
  const hosts = await listed(this);
  assert.equal(hosts.length, rows.length);
  for (const [n, row] of rows.entries()) {
    expectFields(
      hosts[n],
      names.map((name, at) => [name, row[at] ?? '']),
    );
  }
});

Then('there are no hosts', async function (this: ScenarioWorld) {
  await eventually(async () => assert.deepEqual(await listed(this), []));
});
