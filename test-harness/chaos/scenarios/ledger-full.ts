/** The disk is full under load, for a while: nothing is accepted then, and nothing lost that was before. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '../../sim/seeded-random.ts';
import type { DaemonProcess } from '../../src/daemon-process.ts';
import { waitFor } from '../../src/wait-for.ts';
import { limitFileSize } from '../process-figures.ts';
import type { Scenario } from '../scenario.ts';
import { loadOf, openStage, pause, roundsOf } from '../stage.ts';
import { runUnderLoad } from '../under-load.ts';
import { onlyResets } from '../verdict.ts';

const ROUNDS = { least: 3, most: 40 };
/** Less than one page: no commit goes through. */
const FULL_BYTES = 1_024;
/** One round in so many the daemon is killed while the disk is full. */
const KILL_EVERY = 3;
/** In a long run the disk stays full once, until the daemon gives up (OC-CTRL-2072). */
const LONG_RUN_TASKS = 1_000;
const GIVES_UP_MS = 120_000;

export const ledgerFull: Scenario = {
  name: 'ledger-full',
  about: 'lets the ledger find its disk full for a while, by a limit on the size of files (Linux)',
  tasks: { short: 60, long: 4_000 },
  async run({ seed, tasks, onEvent }) {
    await using stage = await openStage();
    const { daemon } = stage;
    const random = createRandom(seed, -1);
    return await runUnderLoad({
      daemon,
      load: loadOf(seed, tasks),
      allowed: onlyResets,
      allowedErrors: /cannot go on|ledger/,
      disturb: async (load, { violations, figures }) => {
        const { rounds, every } = roundsOf(tasks, ROUNDS);
        for (let round = 1; round <= rounds; round += 1) {
          await load.untilMidStream(4);
          await pause(random, 100);
          limitFileSize(daemon.pid, FULL_BYTES);
          await waitFor('the daemon to find its disk full', () => isUnready(daemon), 30_000);
          onEvent?.(`round ${round}: the disk is full`);
          violations.push(...(await acceptedWhileFull(daemon)));
          if (round === 2 && tasks >= LONG_RUN_TASKS) {
            const { code } = await daemon.untilExit(GIVES_UP_MS);
            if (code === 0) violations.push('a daemon whose disk stayed full exited with 0');
            await daemon.restart();
          } else if (round % KILL_EVERY === 0) {
            await daemon.kill9();
            await daemon.restart();
          } else {
            await pause(random, 400);
            limitFileSize(daemon.pid, undefined);
            await waitFor('the daemon to recover', async () => !(await isUnready(daemon)), 30_000);
          }
          await load.untilDone(every);
        }
        figures.push(['rounds with a full disk', rounds]);
      },
    });
  },
};

async function isUnready(daemon: DaemonProcess): Promise<boolean> {
  return (await daemon.client.call('getReadiness')).status === 503;
}

const POSTS = 5;

/** Posts that can only be refused. Not one of them is in the ledger afterwards, which is judged there. */
async function acceptedWhileFull(daemon: DaemonProcess): Promise<readonly string[]> {
  const violations: string[] = [];
  for (let n = 0; n < POSTS; n += 1) {
    const { status } = await daemon.client.call('createTask', { body: { prompt: 'too much' } });
    if (status !== 503) violations.push(`a post was answered ${status} while the disk was full`);
    await sleep(10);
  }
  return violations;
}
