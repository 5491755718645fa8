/** The determinism suite on real llama-servers. */
import { inject } from 'vitest';
import { killEngine, SUITE_POOL } from '../determinism/engines.ts';
import { describeDeterminism } from '../determinism/suite.ts';
import { realPool } from '../llama-server/launch.ts';

describeDeterminism('ORCH-3050 OC-TEST-7001 OC-TEST-7003 OC-TEST-7004 llama-server', {
  name: 'llama-server',
  start: () =>
    Promise.resolve({
      pool: realPool(inject('llamaServer'), { ...SUITE_POOL, slots: 4 }),
      disturb: (daemon) => killEngine(daemon, 'llama-server'),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
});
