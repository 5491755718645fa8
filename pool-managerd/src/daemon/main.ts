/** The `pool-managerd` process: configuration, signals, the ready line, the exit status. */
import { OrchError } from '@llama-orch/contracts';
import { explainFailure } from '../process/explain-failure.ts';
import { createLogger } from '../process/logging.ts';
import { createSystemClock } from '../process/system-clock.ts';
import { HELP, loadHostConfig } from './host-config.ts';
import { startHost } from './pool-managerd.ts';

const EXIT_CONFIG = 2;
const EXIT_FAILED = 1;

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(HELP);
    return;
  }
  const { config, engineInputs } = loadHostConfig({
    argv,
    env: process.env,
    cwd: process.cwd(),
  });
  const { log, flush } = createLogger(config.log.level);
  const die = (error: unknown): void => {
    log.fatal({ err: error }, 'pool-managerd cannot go on');
    flush();
    process.exit(EXIT_FAILED);
  };
  // Whoever started us may have stopped listening.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  const host = await startHost(config, engineInputs, {
    clock: createSystemClock(),
    random: { next: Math.random },
    logger: log,
  });
  let isStopping = false;
  const stop = (signal: string): void => {
    if (isStopping) process.exit(EXIT_FAILED);
    isStopping = true;
    log.info({ signal }, 'stopping');
    host.stop(config.shutdown_grace_ms).then(() => {
      log.info({}, 'stopped');
      flush();
      process.exit(0);
    }, die);
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.stdout.write(`pool-managerd ${config.host_id} ready on ${host.gatewayUrl}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`pool-managerd: ${explainFailure(error)}\n`);
  process.exitCode = error instanceof OrchError ? EXIT_CONFIG : EXIT_FAILED;
  // The manager's handles must not keep a failed start alive.
  process.exit();
}
