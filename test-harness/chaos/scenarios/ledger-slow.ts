/** The disk is slow to flush, or does not come back from a flush, under load. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createRandom } from '../../sim/seeded-random.ts';
import { waitFor, within } from '../../src/wait-for.ts';
import { ChaosClient } from '../chaos-client.ts';
import { observationOf } from '../rest.ts';
import type { Scenario } from '../scenario.ts';
import { loadOf, openStage, roundsOf } from '../stage.ts';
import { runUnderLoad } from '../under-load.ts';
import { onlyResets } from '../verdict.ts';

const ROUNDS = { least: 2, most: 40 };
const SLOWEST_MS = 60;
/** One round in so many the daemon is killed while a commit hangs. */
const KILL_EVERY = 2;
/** Tokens that engines must give while a commit hangs: less than may be in memory only (OC-CTRL-2026). */
const TOKENS_MEANWHILE = 30;
const LONG_OUTPUT = 300;

export const ledgerSlow: Scenario = {
  name: 'ledger-slow',
  about: 'lets commits of the ledger take long, and hang',
  tasks: { short: 80, long: 4_000 },
  async run({ seed, tasks, onEvent }) {
    await using stage = await openStage({
      preload: { module: 'slow-commit.ts', variable: 'CHAOS_COMMIT_FILE' },
    });
    const { daemon, sim, orders } = stage;
    const random = createRandom(seed, -1);
    return await runUnderLoad({
      daemon,
      load: loadOf(seed, tasks, { open: 12 }),
      allowed: onlyResets,
      disturb: async (load, { violations, observations, figures }) => {
        const { rounds, every } = roundsOf(tasks, ROUNDS);
        for (let round = 1; round <= rounds; round += 1) {
          await load.untilMidStream(2);
          const prompt = `Through hang ${round}.`;
          const long = new ChaosClient(daemon.client, {
            ...{ prompt, prompt_format: 'raw', seed: 1, max_tokens: LONG_OUTPUT },
            ...{ determinism: 'strict', priority: 'interactive' },
          });
          await long.post();
          const late = new ChaosClient(daemon.client, {
            ...{ prompt, prompt_format: 'raw', seed: 1, max_tokens: 5 },
          });
          const begun = Promise.withResolvers<void>();
          const reading = long.follow(async (stream) => {
            await stream.until('tokens', () => stream.tokens.length > 0);
            begun.resolve();
          });
          await within('the first token', begun.promise);
          rmSync(`${orders}.held`, { force: true });
          writeFileSync(orders, 'hold');
          const posted = late.post();
          await waitFor('a commit that hangs', () => existsSync(`${orders}.held`));
          onEvent?.(`round ${round}: a commit hangs`);
          // The event loop does not wait for the disk, nor do the engines as long as there is room.
          const { status } = await daemon.client.call('getLiveness');
          if (status !== 200) violations.push(`/healthz is ${status} while a commit hangs`);
          const sent = sim.stats.tokensSent;
          await waitFor('tokens meanwhile', () => sim.stats.tokensSent >= sent + TOKENS_MEANWHILE);
          if (late.admission === 'accepted') violations.push('202 before its commit');
          if (round % KILL_EVERY === 0) {
            await daemon.kill9();
            await posted;
            if (late.admission === 'accepted') violations.push('202 without its commit');
            writeFileSync(orders, '0');
            await daemon.restart();
            await late.post();
          } else {
            // As slow as this from now on.
            writeFileSync(orders, String(Math.round(random.next() * SLOWEST_MS)));
            await posted;
          }
          await reading;
          while (!long.isOver && long.violation === undefined) await long.follow();
          await late.follow();
          observations.push(
            await observationOf(daemon, long, prompt, LONG_OUTPUT),
            await observationOf(daemon, late, prompt, 5),
          );
          await load.untilDone(every);
        }
        writeFileSync(orders, '0');
        figures.push(['commits that hung', rounds]);
      },
    });
  },
};
