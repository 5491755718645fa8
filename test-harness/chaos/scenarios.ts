/** Every scenario that runs under the one load; `kill9.ts` and `faults.ts` have loads of their own. */
import type { Scenario } from './scenario.ts';
import { clockJump } from './scenarios/clock-jump.ts';
import { hosts } from './scenarios/hosts.ts';
import { ledgerFull } from './scenarios/ledger-full.ts';
import { ledgerSlow } from './scenarios/ledger-slow.ts';
import { priority } from './scenarios/priority.ts';
import { slowReaders } from './scenarios/slow-readers.ts';
import { sockets } from './scenarios/sockets.ts';
import { sigterm } from './scenarios/sigterm.ts';

export const SCENARIOS: readonly Scenario[] = [
  hosts,
  sigterm,
  clockJump,
  ledgerFull,
  ledgerSlow,
  slowReaders,
  sockets,
  priority,
];
