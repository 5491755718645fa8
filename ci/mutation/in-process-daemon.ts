/**
 * Stands in for `test-harness/src/daemon-process.ts` while mutants are checked: the same daemon inside the
 * test's own process, where Stryker can switch a mutant on and see which test reaches it. Its end is
 * always an orderly one: tests of what only a process can show are left out of that check.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSystemClock } from '@llama-orch/pool-managerd/process';
import { pino } from 'pino';
import { loadConfig } from '../../orchestratord/src/config/load-config.ts';
import { startDaemon as start, type Daemon } from '../../orchestratord/src/orchestratord.ts';
import { startLlamaCppSim, type LlamaCppSim } from '../../test-harness/engines/llamacpp/sim.ts';
import { DaemonClient } from '../../test-harness/src/daemon-client.ts';
import { PROJECT_ROOT, writeConfig, type PoolInput } from '../../test-harness/src/temp-config.ts';
import type { DaemonOptions, LogLine } from '../../test-harness/src/daemon-process.ts';

const SERVING_MS = 5_000;

export class DaemonProcess implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'llama-orch-'));
  readonly dataDir = join(this.directory, 'data');
  readonly client: DaemonClient;
  readonly pid = process.pid;
  stderr = '';
  readonly #options: DaemonOptions;
  readonly #sims: LlamaCppSim[] = [];
  #daemon: Daemon | undefined;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.client = new DaemonClient(() => this.url, options.headers);
  }

  get url(): string {
    return this.#daemon?.url ?? '';
  }

  logs(): readonly LogLine[] {
    return this.stderr
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  }

  async start(): Promise<void> {
    const { config: input = {}, args = [], env = {} } = this.#options;
    const pools = await Promise.all(
      (input.pools ?? [{}]).map((pool) => this.#withoutProcess(pool)),
    );
    const file = ['--config', writeConfig(this.directory, { ...input, pools })];
    const { config, engineInputs } = loadConfig({
      argv: [...file, '--port', '0', '--data-dir', this.dataDir, ...args],
      env: { ...process.env, ...env },
      cwd: PROJECT_ROOT,
      projectRoot: PROJECT_ROOT,
    });
    mkdirSync(config.data_dir, { recursive: true });
    const log = pino(
      {
        level: config.log.level,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      { write: (line: string) => void (this.stderr += line) },
    );
    this.#daemon = await start(config, engineInputs, {
      clock: createSystemClock(),
      random: Math.random,
      log,
      onFatal: (error) => {
        throw error;
      },
    });
    await this.#daemon.untilServing(SERVING_MS);
  }

  /** Engines that the daemon would launch run here as simulators instead. */
  async #withoutProcess(pool: PoolInput): Promise<PoolInput> {
    if ((pool.launch ?? 'embedded') !== 'embedded') return pool;
    const { launch: _launch, replicas = 2, model, ...rest } = pool;
    const sims = await Promise.all(
      Array.from({ length: replicas }, () =>
        startLlamaCppSim({ slots: pool.slots ?? 1, tokens: 40, tokenDelayMs: 8 }),
      ),
    );
    this.#sims.push(...sims);
    const endpoints = sims.map(({ url }) => url);
    const { id = 'tiny-haiku', aliases = [] } = model ?? {};
    return {
      ...rest,
      launch: 'external',
      endpoints,
      model: { id, aliases },
      ctx: pool.ctx ?? 1024,
    };
  }

  /** Ends at once: what it has not written is lost with it only where a test kills a true process. */
  async kill9(): Promise<void> {
    await this.#daemon?.stop(0);
    this.#daemon = undefined;
  }

  async terminate(): Promise<{ readonly code: number }> {
    await this.kill9();
    return { code: 0 };
  }

  async restart(): Promise<void> {
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.kill9();
    await Promise.all(this.#sims.map((sim) => sim[Symbol.asyncDispose]()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function startDaemon(options: DaemonOptions = {}): Promise<DaemonProcess> {
  const daemon = new DaemonProcess(options);
  await daemon.start();
  return daemon;
}
