/** The `orchestratord` process: configuration, signals, the ready line, the exit status. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OrchError, type Config } from '@llama-orch/contracts';
import {
  createLogger,
  createSystemClock,
  explainFailure,
  type LogSinkHandle,
} from '@llama-orch/pool-managerd/process';
import { HELP } from './config/flags.ts';
import { loadConfig } from './config/load-config.ts';
import { LedgerError } from './ledger/ledger-error.ts';
import { startDaemon, type Daemon } from './orchestratord.ts';

const PROJECT_ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The ready line waits this long for the first replicas; the daemon takes tasks before. */
const SERVING_WAIT_MS = 5_000;

const EXIT_CONFIG = 2;
const EXIT_FAILED = 1;

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(HELP);
    return;
  }
  const loaded = loadConfig({
    argv,
    env: process.env,
    cwd: process.cwd(),
    projectRoot: PROJECT_ROOT,
  });
  const { config, engineInputs } = loaded;
  // A person at a terminal gets the ready line and warnings; a log collector gets everything.
  const quiet = process.stderr.isTTY && !loaded.sources.has('/log/level');
  const sink = createLogger(quiet ? 'warn' : config.log.level);
  let stopping = false;
  const die = (error: unknown): void => {
    sink.log.fatal({ err: error }, 'the daemon cannot go on');
    sink.flush();
    process.exit(EXIT_FAILED);
  };
  // Whoever started us may have stopped listening.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  mkdirSync(config.data_dir, { recursive: true, mode: 0o700 });
  const daemon = await startDaemon(config, engineInputs, {
    clock: createSystemClock(),
    random: Math.random,
    log: sink.log,
    onFatal: die,
  });

  const stop = (signal: string): void => {
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    void shutDown(daemon, config, sink, signal).catch(die);
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));

  await daemon.untilServing(SERVING_WAIT_MS);
  if (stopping) return;
  announce(daemon, config);
}

function announce(daemon: Daemon, config: Config): void {
  writeFileSync(runFile(config), `${JSON.stringify({ url: daemon.url, pid: process.pid })}\n`);
  process.stdout.write(`llama-orch ready on ${daemon.url}\n`);
  if (process.stdout.isTTY) {
    process.stdout.write(
      [
        '',
        'Try it from another terminal:',
        '',
        `  curl -N ${daemon.url}/v1/tasks -H 'content-type: application/json' \\`,
        `    -H 'accept: text/event-stream' -d '{"prompt":"Write a haiku about rain."}'`,
        '',
        `Pools: ${daemon.url}/v1/pools   Metrics: ${daemon.url}/metrics   Stop: Ctrl-C`,
        '',
      ].join('\n'),
    );
  }
}

async function shutDown(
  daemon: Daemon,
  config: Config,
  sink: LogSinkHandle,
  signal: string,
): Promise<void> {
  sink.log.info({ signal }, 'stopping');
  await daemon.stop(config.server.shutdown_grace_ms);
  rmSync(runFile(config), { force: true });
  sink.log.info({}, 'stopped');
  sink.flush();
  process.exit(0);
}

function runFile(config: Config): string {
  return join(config.data_dir, 'orchestratord.json');
}

try {
  await main();
} catch (error) {
  const reason = error instanceof LedgerError ? error.message : explainFailure(error);
  process.stderr.write(`llama-orch: ${reason}\n`);
  process.exitCode = error instanceof OrchError ? EXIT_CONFIG : EXIT_FAILED;
  // The pool manager's and the ledger's handles must not keep a failed start alive.
  process.exit();
}
