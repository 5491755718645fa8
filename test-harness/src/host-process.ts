/** pool-managerd as a process of its own, started as its users start it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostConfig } from '@llama-orch/contracts';
import { untilGone, type LogLine } from './daemon-process.ts';
import { descendantsOf, type ProcessEntry } from './process-table.ts';
import { ProgramRun, type Exit } from './program-run.ts';
import { PROJECT_ROOT, type DeepPartial } from './temp-config.ts';
import { waitFor, within } from './wait-for.ts';

export const HOST_ENTRY = join(PROJECT_ROOT, 'pool-managerd', 'src', 'daemon', 'main.ts');
const READY_LINE = /^pool-managerd \S+ ready on (http:\/\/\S+)$/m;
const START_MS = 30_000;

export type HostConfigInput = DeepPartial<HostConfig>;

export class HostProcess implements AsyncDisposable {
  readonly directory: string;
  readonly #config: HostConfigInput;
  #run: ProgramRun | undefined;
  #gatewayUrl = '';
  #earlierLogs = '';

  constructor(config: HostConfigInput) {
    this.#config = config;
    this.directory = mkdtempSync(join(tmpdir(), 'pool-managerd-'));
  }

  get gatewayUrl(): string {
    return this.#gatewayUrl;
  }

  /** The log over all its lives, one object a line. */
  logs(): readonly LogLine[] {
    return (this.#earlierLogs + (this.#run?.stderr ?? ''))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** @throws Error with its output when it exits before it is ready */
  async start(): Promise<void> {
    if (this.#run !== undefined) this.#earlierLogs += this.#run.stderr;
    const file = writeHostConfig(this.directory, { data_dir: 'data', ...this.#config });
    const run = new ProgramRun(HOST_ENTRY, ['--config', file], {});
    this.#run = run;
    this.#gatewayUrl = await waitFor(
      'the ready line of a host',
      () => {
        const url = READY_LINE.exec(run.stdout)?.[1];
        if (url === undefined && run.isOver) {
          throw new Error(`the host did not start:\n${run.stdout}\n${run.stderr}`);
        }
        return url;
      },
      START_MS,
    );
  }

  children(): readonly ProcessEntry[] {
    return this.#run === undefined || this.#run.isOver ? [] : descendantsOf(this.#run.pid);
  }

  async kill9(): Promise<void> {
    this.#run?.child.kill('SIGKILL');
    if (this.#run !== undefined) await within('the death of the host', this.#run.exited);
  }

  signal(signal: NodeJS.Signals): void {
    this.#run?.child.kill(signal);
  }

  async terminate(withinMs = 30_000): Promise<Exit> {
    if (this.#run === undefined) throw new Error('the host does not run');
    this.#run.child.kill('SIGTERM');
    return within('the exit of the host', this.#run.exited, withinMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const children = this.children();
    await this.#run?.kill();
    try {
      await untilGone(children);
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}

export async function startHost(config: HostConfigInput): Promise<HostProcess> {
  const host = new HostProcess(config);
  try {
    await host.start();
    return host;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

/** Runs the program to its end, for starts that must fail. */
export async function runHost(args: readonly string[]): Promise<Exit> {
  const run = new ProgramRun(HOST_ENTRY, args, {});
  try {
    return await within('the exit of the host', run.exited, START_MS);
  } finally {
    run.child.kill('SIGKILL');
  }
}

export function writeHostConfig(directory: string, config: HostConfigInput): string {
  const path = join(directory, 'host.yaml');
  writeFileSync(path, `${JSON.stringify(config, null, 2)}\n`);
  return path;
}
