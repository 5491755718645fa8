import { mkdirSync } from 'node:fs';
import { GuardClient } from './guard-client.ts';
import { PidFile } from './pid-file.ts';
import type { Clock, Logger } from './ports.ts';
import type { ChildRegistry } from './spawn-engine.ts';

/** Every engine process of this daemon, known to the guard and on disk, so that none outlives it. */
export class OwnedChildren implements ChildRegistry {
  readonly #guard: GuardClient;
  readonly #pidFile: PidFile;
  readonly #dataDir: string;
  readonly #logger: Logger;
  #hasWarned = false;

  constructor(dataDir: string, clock: Clock, logger: Logger) {
    this.#dataDir = dataDir;
    this.#logger = logger;
    this.#guard = new GuardClient(clock, logger);
    this.#pidFile = new PidFile(dataDir);
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#guard.environment;
  }

  /** Call once before the first spawn. */
  sweep(): void {
    mkdirSync(this.#dataDir, { recursive: true });
    const pids = this.#pidFile.sweep();
    if (pids.length > 0)
      this.#logger.warn({ pids }, 'killed engines that an earlier run left behind');
  }

  beforeSpawn(): void {
    this.#guard.ensureRunning();
  }

  add(pid: number): void {
    this.#guard.add(pid);
    this.#note(() => this.#pidFile.add(pid));
  }

  remove(pid: number): void {
    this.#guard.remove(pid);
    this.#note(() => this.#pidFile.remove(pid));
  }

  close(): Promise<void> {
    return this.#guard.close();
  }

  /** The guard knows the engine: a disk that is full is no reason to lose sight of it, or to end. */
  #note(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (this.#hasWarned) return;
      this.#hasWarned = true;
      this.#logger.warn({ err: error }, 'the pids of engines cannot be written down');
    }
  }
}
