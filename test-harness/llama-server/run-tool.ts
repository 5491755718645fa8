/** Runs the programs of a build: quietly, after everything else on the machine, and until told to stop. */
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';

/** A program that the build needs is not on the PATH. */
export class MissingTool extends Error {
  override readonly name = 'MissingTool';
}

/** A program of the build ended badly; the message holds the end of what it said. */
export class ToolFailed extends Error {
  override readonly name = 'ToolFailed';
  readonly output: string;

  constructor(message: string, output: string) {
    super(`${message}\n${output}`);
    this.output = output;
  }
}

export interface ToolOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** As `nice -n 10` does. */
const NICENESS = 10;
const LINES_KEPT = 40;

/**
 * @returns the last lines it said
 * @throws MissingTool, ToolFailed; the signal's reason when it is aborted
 */
export async function runTool(
  command: string,
  args: readonly string[],
  { env, signal, onLine }: ToolOptions,
): Promise<string> {
  signal.throwIfAborted();
  // A group of its own: make and the compilers must end with it.
  const child = spawn(command, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  if (child.pid !== undefined) yieldToOthers(child.pid);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
      onLine?.(line);
    });
  }
  const stop = (): void => killGroup(child.pid);
  signal.addEventListener('abort', stop);
  try {
    const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode, endedBy) => resolve(exitCode ?? endedBy));
    });
    signal.throwIfAborted();
    const output = lines.join('\n');
    if (code === 0) return output;
    throw new ToolFailed(`${command} ${args[0] ?? ''} ended with ${code}`, output);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new MissingTool(`${command} is not installed`, { cause: error });
    }
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function yieldToOthers(pid: number): void {
  try {
    setPriority(pid, NICENESS);
  } catch {
    // It has ended already, or the system does not let us: it builds all the same.
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
