/** The everyday form of every scenario; the long one is `npm run chaos -- all`. */
import process from 'node:process';
import { expect, test } from 'vitest';
import { formatScenario, type Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { clockJump } from './scenarios/clock-jump.ts';
import { hosts } from './scenarios/hosts.ts';
import { ledgerFull } from './scenarios/ledger-full.ts';
import { ledgerSlow } from './scenarios/ledger-slow.ts';
import { priority } from './scenarios/priority.ts';
import { sigterm } from './scenarios/sigterm.ts';
import { slowReaders } from './scenarios/slow-readers.ts';
import { sockets } from './scenarios/sockets.ts';

const LIMIT_MS = 600_000;
/** Limits of a process that runs can only be set on Linux. */
const IS_LINUX = process.platform === 'linux';
const shown = new Set<Scenario>();

function everyPromiseHolds(scenario: Scenario): () => Promise<void> {
  shown.add(scenario);
  return async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const report = await scenario.run({ seed, tasks: scenario.tasks.short });
    expect(report.violations, formatScenario(scenario.name, seed, report)).toEqual([]);
  };
}

// Side by side: they wait more than they compute.
test.concurrent(
  'OC-CHAOS-7302 hosts that are killed, stopped and cut off lose nothing',
  everyPromiseHolds(hosts),
  LIMIT_MS,
);
test.concurrent(
  'OC-CHAOS-7306 clients go on at the successor of a daemon that was stopped',
  everyPromiseHolds(sigterm),
  LIMIT_MS,
);
test.concurrent(
  'OC-CHAOS-7305 no task notices that the wall clock is set',
  everyPromiseHolds(clockJump),
  LIMIT_MS,
);
test
  .skipIf(!IS_LINUX)
  .concurrent(
    'OC-CHAOS-7303 a full disk costs refusals, and nothing that was accepted',
    everyPromiseHolds(ledgerFull),
    LIMIT_MS,
  );
test.concurrent(
  'OC-CHAOS-7304 a disk that hangs holds up promises, not answers nor engines',
  everyPromiseHolds(ledgerSlow),
  LIMIT_MS,
);
test.concurrent(
  'OC-CHAOS-7308 readers that stop reading hold up nobody and cost no memory',
  everyPromiseHolds(slowReaders),
  LIMIT_MS,
);
test
  .skipIf(!IS_LINUX)
  .concurrent(
    'OC-CHAOS-7307 a flood of connections keeps nobody from the engines',
    everyPromiseHolds(sockets),
    LIMIT_MS,
  );
test.concurrent(
  'OC-CHAOS-7309 a flood of others does not hold up who asks for little',
  everyPromiseHolds(priority),
  LIMIT_MS,
);

test('every scenario is run', () => {
  expect(shown).toEqual(new Set(SCENARIOS));
});
