/** The system's clock is set under load, by hours in both directions: in mid-life and between two lives. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createRandom } from '../../sim/seeded-random.ts';
import { observeOne } from '../rest.ts';
import type { Scenario } from '../scenario.ts';
import { loadOf, openStage, roundsOf } from '../stage.ts';
import { runUnderLoad } from '../under-load.ts';
import { onlyResets } from '../verdict.ts';

const JUMPS = { least: 4, most: 60 };
/** Either way; two clocks are then less apart than finished tasks are kept for (24 h). */
const FARTHEST_MS = 10 * 3_600_000;
const DEADLINE_MS = 600_000;
/** One jump in so many falls between two lives. */
const RESTART_EVERY = 2;

export const clockJump: Scenario = {
  name: 'clock-jump',
  about: 'sets the wall clock of the daemon by hours, while it runs and while it is down',
  tasks: { short: 80, long: 4_000 },
  async run({ seed, tasks, onEvent }) {
    await using stage = await openStage({
      preload: { module: 'clock-offset.ts', variable: 'CHAOS_CLOCK_FILE' },
    });
    const { daemon, orders } = stage;
    const random = createRandom(seed, -1);
    return await runUnderLoad({
      daemon,
      load: loadOf(seed, tasks),
      allowed: onlyResets,
      disturb: async (load, { violations, observations, figures }) => {
        const { rounds, every } = roundsOf(tasks, JUMPS);
        for (let jump = 1; jump <= rounds; jump += 1) {
          await load.untilMidStream(4);
          const offsetMs = Math.round((2 * random.next() - 1) * FARTHEST_MS);
          const isDown = jump % RESTART_EVERY === 0;
          onEvent?.(`jump ${jump}: to ${offsetMs} ms${isDown ? ', over a kill' : ''}`);
          if (isDown) {
            await daemon.kill9();
            writeFileSync(orders, String(offsetMs));
            await daemon.restart();
          } else {
            // What was promised before the jump is kept after it: a deadline, and a session's time to live.
            const session = randomUUID();
            const turn = {
              session_id: session,
              deadline_ms: DEADLINE_MS,
              priority: 'interactive',
            } as const;
            const early = observeOne(daemon, `Across jump ${jump}.`, 60, turn);
            writeFileSync(orders, String(offsetMs));
            observations.push(await early, await observeOne(daemon, 'Once more.', 8, turn));
            const { turns } = await daemon.client.session(session);
            if (turns !== 2)
              violations.push(`a session of 2 turns has ${turns} after jump ${jump}`);
          }
          await load.untilDone(every);
        }
        figures.push(['jumps of the clock', rounds]);
      },
    });
  },
};
