import { spawn, type ChildProcess } from 'node:child_process';
import { PROJECT_ROOT } from './temp-config.ts';
import { waitFor, within } from './wait-for.ts';

/** For a process that is asked to end; one that was stopped never does. */
const FAREWELL_MS = 5_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One run of a program of ours, from spawn to exit. */
export class ProgramRun {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';

  /** @param prefix a command that replaces itself by the one behind it, such as `prlimit` */
  constructor(
    entry: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    prefix: readonly string[] = [],
  ) {
    const [command = process.execPath, ...rest] = [...prefix, process.execPath, entry, ...args];
    this.child = spawn(command, rest, {
      cwd: PROJECT_ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...withoutOurVariables(process.env), ...env },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /**
   * Kills it. Where lines are counted (`npm run coverage`) it is asked to end before, again and again, because a
   * process that is killed tells nothing of what it ran; our programs end at once when they are asked twice.
   */
  async kill(farewellMs = FAREWELL_MS): Promise<void> {
    if (process.env['NODE_V8_COVERAGE'] !== undefined) {
      const asked = (): boolean => this.isOver || !this.child.kill('SIGTERM');
      await waitFor('the exit', asked, farewellMs).catch(() => undefined);
    }
    this.child.kill('SIGKILL');
    await within('the death of the process', this.exited);
  }

  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}

/** A developer's own settings must not reach what is tested. */
function withoutOurVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(LLAMA_ORCH|POOL_MANAGERD)_/.test(name)),
  );
}
