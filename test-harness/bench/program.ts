/** Child processes of a benchmark: started, awaited until ready, and certain to end with it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const LOG_TAIL_CHARS = 2_000;

export interface ProgramOptions {
  readonly name: string;
  /** Node's own flags, the script, the script's arguments. */
  readonly args: readonly string[];
  readonly cwd: string;
  /** Where the program's stderr goes. */
  readonly logFile: string;
}

export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** The address in its ready line. */
  readonly url: string;
  /** From spawn to the ready line, ms. */
  readonly readyMs: number;
  /** Ends it with SIGTERM, or SIGKILL when that takes too long. Safe to call twice. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => process.exit(130));
}

/**
 * Starts a Node program that prints `… on http://HOST:PORT` once it listens.
 * @throws Error with the end of its log when it ends, or says nothing, before that
 */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { name, args, cwd, logFile } = options;
  const log = openSync(logFile, 'a');
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', log] });
  closeSync(log);
  running.add(child);
  const exited = once(child, 'exit').finally(() => running.delete(child));
  const url = await readyUrl(child).catch((cause: unknown) => {
    child.kill('SIGKILL');
    const tail = readFileSync(logFile, 'utf8').slice(-LOG_TAIL_CHARS);
    throw new Error(`${name} did not become ready\n${tail}`, { cause });
  });
  const readyMs = performance.now() - startedAt;

  const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
    if (!running.has(child)) return;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  };
  return { pid: child.pid ?? 0, url, readyMs, stop, [Symbol.asyncDispose]: () => stop() };
}

async function readyUrl(child: ChildProcess): Promise<string> {
  const found = Promise.withResolvers<string>();
  const timer = setTimeout(() => found.reject(new Error('it took too long')), READY_TIMEOUT_MS);
  child.once('error', found.reject);
  child.once('exit', (code) => found.reject(new Error(`it ended with ${code}`)));
  if (child.stdout !== null) {
    createInterface(child.stdout).on('line', (line) => {
      const url = /\bon (http:\/\/\S+)$/.exec(line)?.[1];
      if (url !== undefined) found.resolve(url);
    });
  }
  try {
    return await found.promise;
  } finally {
    clearTimeout(timer);
  }
}
