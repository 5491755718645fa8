/** The daemon's end of the guard process (see `child-guard.ts`): starts it, feeds it, replaces it. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Clock, Logger } from './ports.ts';

const GUARD_ENTRY = fileURLToPath(new URL('./child-guard.ts', import.meta.url));
const REPLACE_AFTER_MS = 500;
/** A guard that was stopped must not hold up the end of the daemon. */
const CLOSE_MS = 1000;

export class GuardClient {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #mark = randomUUID();
  readonly #pids = new Set<number>();
  #guard: ChildProcess | undefined;
  #closing = false;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** To be put into the environment of every child. */
  get environment(): Readonly<Record<string, string>> {
    return { LLAMA_ORCH_GUARD: this.#mark };
  }

  /** Call before the first child is spawned: nobody may be without a guard for an instant. */
  ensureRunning(): void {
    if (this.#guard !== undefined || this.#closing) return;
    const guard = spawn(process.execPath, [GUARD_ENTRY, this.#mark], {
      // A process group of its own, so that what kills the daemon's group spares the guard.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: {},
    });
    this.#guard = guard;
    // A guard that died shows itself by its exit; the write that met the closed pipe adds nothing.
    guard.stdin.on('error', () => undefined);
    guard.once('error', (error) => this.#onGone(guard, error.message));
    guard.once('exit', (code, signal) => this.#onGone(guard, signal ?? `code ${code}`));
    for (const pid of this.#pids) this.#tell(`+${pid}`);
  }

  add(pid: number): void {
    this.#pids.add(pid);
    this.#tell(`+${pid}`);
  }

  remove(pid: number): void {
    this.#pids.delete(pid);
    this.#tell(`-${pid}`);
  }

  /** Lets the guard go; children still registered are killed by it. Resolves when it has exited. */
  async close(): Promise<void> {
    this.#closing = true;
    const guard = this.#guard;
    if (guard === undefined || guard.exitCode !== null || guard.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => {
      guard.once('exit', () => resolve());
      // It could not be started, and will not exit.
      guard.once('error', () => resolve());
    });
    const cancelKill = this.#clock.setTimer(CLOSE_MS, () => guard.kill('SIGKILL'));
    guard.stdin?.end();
    await exited;
    cancelKill();
  }

  #tell(line: string): void {
    this.#guard?.stdin?.write(`${line}\n`);
  }

  #onGone(guard: ChildProcess, how: string): void {
    if (this.#guard !== guard) return;
    this.#guard = undefined;
    if (this.#closing) return;
    this.#logger.warn({ how }, 'the guard of the engine processes ended; it is replaced');
    this.#clock.setTimer(REPLACE_AFTER_MS, () => this.ensureRunning());
  }
}
