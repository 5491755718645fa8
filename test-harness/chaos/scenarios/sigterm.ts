/** SIGTERM under load, again and again: it drains and exits with 0, and clients go on at its successor. */
import { createRandom } from '../../sim/seeded-random.ts';
import type { Scenario } from '../scenario.ts';
import { loadOf, openStage, pause, roundsOf } from '../stage.ts';
import { runUnderLoad } from '../under-load.ts';
import { onlyResets } from '../verdict.ts';

const STOPS = { least: 3, most: 40 };
/** Some streams finish within it, others go on after the next start. */
const GRACE_MS = 150;

export const sigterm: Scenario = {
  name: 'sigterm',
  about: 'stops the daemon with SIGTERM under load and starts it again',
  tasks: { short: 60, long: 4_000 },
  async run({ seed, tasks, onEvent }) {
    await using stage = await openStage({ config: { server: { shutdown_grace_ms: GRACE_MS } } });
    const { daemon } = stage;
    const random = createRandom(seed, -1);
    return await runUnderLoad({
      daemon,
      load: loadOf(seed, tasks),
      allowed: onlyResets,
      disturb: async (load, { violations, figures }) => {
        const { rounds, every } = roundsOf(tasks, STOPS);
        for (let stop = 1; stop <= rounds; stop += 1) {
          await load.untilMidStream(4);
          await pause(random, 100);
          onEvent?.(`stop ${stop}: ${load.midStream} streams in the middle`);
          const { code, signal } = await daemon.terminate();
          if (code !== 0) violations.push(`stop ${stop} exited with ${code ?? signal}`);
          await daemon.restart();
          await load.untilDone(every);
        }
        figures.push(['stops', rounds]);
      },
    });
  },
};
