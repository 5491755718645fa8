/** The everyday form of every scenario; the long one is `npm run chaos -- all`. */
import process from 'node:process';
import { expect, test } from 'vitest';
import { formatScenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

for (const scenario of SCENARIOS) {
  const cannotRun = scenario.isLinuxOnly === true && process.platform !== 'linux';
  // They wait more than they compute.
  test.skipIf(cannotRun).concurrent(
    `${scenario.ids.join(' ')} ${scenario.name}: it ${scenario.about}, and every promise holds`,
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 32);
      const report = await scenario.run({ seed, tasks: scenario.tasks.short });
      expect(report.violations, formatScenario(scenario.name, seed, report)).toEqual([]);
    },
    600_000,
  );
}
