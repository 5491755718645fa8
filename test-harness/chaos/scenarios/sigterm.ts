/** SIGTERM under load, again and again: it drains and exits with 0, and clients go on at its successor. */
import { createRandom } from '../../sim/seeded-random.ts';
import type { Scenario } from '../scenario.ts';
import { loadOf, openStage, pause } from '../stage.ts';
import { runUnderLoad } from '../under-load.ts';
import { onlyResets } from '../verdict.ts';

const STOPS_AT_MOST = 40;
/** Some streams finish within it, others go on after the next start. */
const GRACE_MS = 150;

export const sigterm: Scenario = {
  name: 'sigterm',
  about: 'stops the daemon with SIGTERM under load and starts it again',
  ids: ['OC-CHAOS-7306'],
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
        const every = Math.max(16, Math.ceil(tasks / STOPS_AT_MOST));
        let stops = 0;
        while (await load.untilMidStream(4)) {
          await pause(random, 100);
          stops += 1;
          onEvent?.(`stop ${stops}: ${load.midStream} streams in the middle`);
          const { code, signal } = await daemon.terminate();
          if (code !== 0) violations.push(`stop ${stops} exited with ${code ?? signal}`);
          await daemon.restart();
          await load.untilDone(every);
        }
        if (stops === 0) violations.push('the load was over before the first stop');
        figures.push(['stops', stops]);
      },
    });
  },
};
