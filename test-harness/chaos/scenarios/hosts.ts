/** Hosts that run the engines are killed, stopped and cut off from the daemon, under load. */
import { createRandom } from '../../sim/seeded-random.ts';
import { CutProxy } from '../../src/cut-proxy.ts';
import { startDaemon } from '../../src/daemon-process.ts';
import { startHost, type HostConfigInput, type HostProcess } from '../../src/host-process.ts';
import { simulatorPool } from '../../src/temp-config.ts';
import type { Scenario } from '../scenario.ts';
import { loadOf, MODEL_TOKENS, pause, roundsOf } from '../stage.ts';
import { runUnderLoad } from '../under-load.ts';
import { onlyResets } from '../verdict.ts';

const ROUNDS = { least: 4, most: 60 };
const TTL_MS = 1_500;
/** As many as there may be: a task is moved again and again, and none of it may end it. */
const MAX_ATTEMPTS = 10;
/** Long enough that the lease runs out, in most rounds. */
const LONGEST_AWAY_MS = 3_000;
const REPLICAS = 2;
const SLOTS = 3;
const WAYS = ['kill', 'stop', 'gateway', 'partition'] as const;

interface Host {
  readonly process: HostProcess;
  /** What it sends to the daemon, and what the daemon sends to it. */
  readonly syncs: CutProxy;
  readonly gateway: CutProxy;
}

export const hosts: Scenario = {
  name: 'hosts',
  about: 'kills, stops and cuts off pool-managerd on the hosts, one at a time',
  tasks: { short: 80, long: 4_000 },
  async run({ seed, tasks, onEvent }) {
    await using stack = new AsyncDisposableStack();
    const remote = { id: 'default', launch: 'remote', model: { id: 'sim' } } as const;
    const daemon = stack.use(
      await startDaemon({
        config: {
          server: { idle_timeout_ms: 2_000 },
          pools: [
            {
              ...remote,
              determinism: 'exact',
              queue: { capacity: 1_000 },
              max_attempts: MAX_ATTEMPTS,
            },
          ],
        },
        args: ['--log-level', 'warn'],
      }),
    );
    const openHost = async (id: string): Promise<Host> => {
      const syncs = stack.use(await new CutProxy(() => daemon.url).listen());
      // Its gateway is known once it runs; nobody asks before.
      const gateway: CutProxy = stack.use(await new CutProxy(() => process.gatewayUrl).listen());
      const process: HostProcess = stack.use(
        await startHost({
          host_id: id,
          orchestrator: { url: syncs.url },
          gateway: { advertise_url: gateway.url },
          lease_ttl_ms: TTL_MS,
          pools: [poolOf()],
        }),
      );
      return { process, syncs, gateway };
    };
    const all = [await openHost('a'), await openHost('b')] as const;
    await daemon.client.untilReady(REPLICAS * all.length);
    const random = createRandom(seed, -1);
    return await runUnderLoad({
      daemon,
      load: loadOf(seed, tasks),
      allowed: onlyResets,
      disturb: async (load, { figures }) => {
        const { rounds, every } = roundsOf(tasks, ROUNDS);
        const counts = new Map<string, number>(WAYS.map((way) => [way, 0]));
        const first = Math.floor(random.next() * WAYS.length);
        for (let round = 0; round < rounds; round += 1) {
          await load.untilMidStream(4);
          const host = all[random.next() < 0.5 ? 0 : 1];
          const way = WAYS[(first + round) % WAYS.length] ?? 'kill';
          counts.set(way, (counts.get(way) ?? 0) + 1);
          onEvent?.(`round ${round + 1}: ${way}`);
          await disturbHost(host, way, () => pause(random, LONGEST_AWAY_MS));
          await daemon.client.untilReady(REPLICAS * all.length, 'default', 60_000);
          await load.untilDone(every);
        }
        figures.push(['hosts killed, stopped, cut off', [...counts.values()].join(', ')]);
      },
    });
  },
};

/** Simulators of its own, one process each: they go with their host. */
function poolOf() {
  const flags = ['--tokens', String(MODEL_TOKENS), '--token-delay-ms', '4'];
  const { id, launch, model, command, ctx, restart } = simulatorPool(flags);
  const pool = { id, launch, model, command, ctx, restart, replicas: REPLICAS, slots: SLOTS };
  return pool as NonNullable<HostConfigInput['pools']>[number];
}

async function disturbHost(
  { process, syncs, gateway }: Host,
  way: (typeof WAYS)[number],
  away: () => Promise<void>,
): Promise<void> {
  switch (way) {
    case 'kill':
      await process.kill9();
      await away();
      return process.start();
    case 'stop':
      process.signal('SIGSTOP');
      await away();
      return process.signal('SIGCONT');
    case 'gateway':
      gateway.cut();
      await away();
      return gateway.heal();
    case 'partition':
      gateway.cut();
      syncs.cut();
      await away();
      gateway.heal();
      return syncs.heal();
  }
}
