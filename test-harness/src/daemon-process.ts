/**
 * The daemon as a process of its own, started as its users start it: private data directory, a free port,
 * logs kept. Disposing it kills it and fails when it leaves a process behind.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DaemonClient } from './daemon-client.ts';
import { descendantsOf, stillRunning, type ProcessEntry } from './process-table.ts';
import { ProgramRun, type Exit } from './program-run.ts';
import { PROJECT_ROOT, writeConfig, type ConfigInput } from './temp-config.ts';
import { waitFor, within } from './wait-for.ts';

export const DAEMON_ENTRY = join(PROJECT_ROOT, 'orchestratord', 'src', 'start.js');
const READY_LINE = /^llama-orch ready on (http:\/\/\S+)$/m;
const START_MS = 30_000;
/** Engines of a daemon that was killed are gone within this time. */
const ORPHAN_MS = 5_000;

export interface DaemonOptions {
  readonly config?: ConfigInput;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Files and sockets it may have open, as its system limits them (Linux). */
  readonly openFilesLimit?: number;
  /** Sent with every request of its `client`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export type LogLine = Readonly<Record<string, unknown>>;

export class DaemonProcess implements AsyncDisposable {
  readonly directory: string;
  readonly dataDir: string;
  readonly client: DaemonClient;
  readonly #options: DaemonOptions;
  #run: ProgramRun | undefined;
  #url = '';
  #earlierLogs = '';

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.directory = mkdtempSync(join(tmpdir(), 'llama-orch-'));
    this.dataDir = join(this.directory, 'data');
    this.client = new DaemonClient(() => this.#url, options.headers);
  }

  get url(): string {
    return this.#url;
  }

  get pid(): number {
    return this.#run?.pid ?? 0;
  }

  /** Everything the daemon wrote to stderr, over all its lives. */
  get stderr(): string {
    return this.#earlierLogs + (this.#run?.stderr ?? '');
  }

  /** The log, one object a line. @throws SyntaxError for a line that is not JSON */
  logs(): readonly LogLine[] {
    return this.stderr
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Spawns the program. @throws Error with its output when it exits before it is ready */
  async start(): Promise<void> {
    const { config, args = [], env = {}, openFilesLimit: files } = this.#options;
    const run = new ProgramRun(
      DAEMON_ENTRY,
      [
        ...(config === undefined ? [] : ['--config', writeConfig(this.directory, config)]),
        ...['--port', '0', '--data-dir', this.dataDir],
        ...args,
      ],
      env,
      files === undefined ? [] : ['prlimit', `--nofile=${files}:${files}`],
    );
    this.#run = run;
    this.#url = await waitFor(
      'the ready line',
      () => {
        const url = READY_LINE.exec(run.stdout)?.[1];
        if (url === undefined && run.isOver) {
          throw new Error(`the daemon did not start:\n${run.stdout}\n${run.stderr}`);
        }
        return url;
      },
      START_MS,
    );
  }

  /** The engines and helpers that the daemon runs. */
  children(): readonly ProcessEntry[] {
    return descendantsOf(this.pid);
  }

  /** SIGKILL, as the kernel's out-of-memory killer would. Resolves when the process is gone. */
  async kill9(): Promise<void> {
    this.#run?.child.kill('SIGKILL');
    await this.#over();
  }

  /** Sends SIGTERM and waits for the end. */
  async terminate(withinMs = 30_000): Promise<Exit> {
    this.#run?.child.kill('SIGTERM');
    return this.untilExit(withinMs);
  }

  signal(signal: NodeJS.Signals): void {
    this.#run?.child.kill(signal);
  }

  async untilExit(withinMs = 30_000): Promise<Exit> {
    if (this.#run === undefined) throw new Error('the daemon does not run');
    return within('the exit of the daemon', this.#run.exited, withinMs);
  }

  /** Starts again on the same data directory, at a new address. */
  async restart(): Promise<void> {
    if (this.#run !== undefined && !this.#run.isOver) throw new Error('the daemon still runs');
    this.#earlierLogs = this.stderr;
    this.#run = undefined;
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const children = this.#run === undefined || this.#run.isOver ? [] : this.children();
    await this.#run?.kill();
    await this.client[Symbol.asyncDispose]();
    try {
      await untilGone(children);
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  async #over(): Promise<void> {
    if (this.#run !== undefined) await within('the death of the daemon', this.#run.exited);
  }
}

/** Starts a daemon and resolves when it has said that it is ready. */
export async function startDaemon(options: DaemonOptions = {}): Promise<DaemonProcess> {
  const daemon = new DaemonProcess(options);
  try {
    await daemon.start();
    return daemon;
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
}

/** Runs the program to its end, for starts that must fail. */
export async function runDaemon(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Exit> {
  const run = new ProgramRun(DAEMON_ENTRY, args, env);
  try {
    return await within('the exit of the daemon', run.exited, START_MS);
  } finally {
    run.child.kill('SIGKILL');
  }
}

/** @throws Error when processes of a dead daemon still run after a while */
export async function untilGone(processes: readonly ProcessEntry[]): Promise<void> {
  if (processes.length === 0) return;
  try {
    await waitFor('the end of the engines', () => stillRunning(processes).length === 0, ORPHAN_MS);
  } catch (cause) {
    const left = stillRunning(processes);
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    const commands = left.map(({ pid, command }) => `${pid} ${command}`).join('\n');
    throw new Error(`the daemon left processes behind:\n${commands}`, { cause });
  }
}
