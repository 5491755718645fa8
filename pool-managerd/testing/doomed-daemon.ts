/**
 * A daemon for tests to kill: `node doomed-daemon.ts DATA_DIR`. It runs one process that only waits,
 * which itself has a child in a session of its own, and prints the pids of both once they run.
 */
import { createPoolManager } from '../src/pool-manager.ts';
import { FakeEngine } from './fake-engine.ts';
import { SILENT } from './fake-pool.ts';
import { REAL_CLOCK } from './until.ts';

const [dataDir = ''] = process.argv.slice(2);
const ENGINE = `
  const { spawn } = require('node:child_process');
  const wait = 'setInterval(() => {}, 1000)';
  const escaped = spawn(process.execPath, ['-e', wait], { detached: true, stdio: 'ignore' });
  require('node:fs').writeFileSync(process.argv[1], String(escaped.pid));
  setInterval(() => {}, 1000);
`;

const { openAdapter } = new FakeEngine({ health: { state: 'loading' } });
const manager = createPoolManager({
  pools: [
    {
      id: 'default',
      engine: 'llamacpp',
      launch: 'process',
      command: [process.execPath, '-e', ENGINE, `${dataDir}/escaped.pid`],
      modelId: 'none',
      ctx: 1,
    },
  ],
  dataDir,
  openAdapter: () => openAdapter,
  embeddedEntry: '',
  clock: REAL_CLOCK,
  random: { next: () => 0 },
  logger: SILENT,
});
manager.subscribe((event) => {
  if (event.type === 'replica' && event.replica.state === 'loading')
    process.stdout.write(`engine ${event.replica.pid}\n`);
});
manager.start();
