/**
 * The processes that the daemon has spawned, on disk: the last line of defence when daemon and guard
 * were killed together. The next daemon on the same data directory kills what is left of them.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface PidRecord {
  readonly pid: number;
  /** The command line as the system reports it; a pid alone may long belong to somebody else. */
  readonly command: string;
}

interface PidFileContent {
  readonly daemon: PidRecord;
  readonly children: readonly PidRecord[];
}

export class PidFile {
  readonly #path: string;
  readonly #children = new Map<number, PidRecord>();

  constructor(dataDir: string) {
    this.#path = join(dataDir, 'engines.pid.json');
  }

  add(pid: number): void {
    const command = commandOf(pid);
    if (command === undefined) return;
    this.#children.set(pid, { pid, command });
    this.#write();
  }

  remove(pid: number): void {
    if (this.#children.delete(pid)) this.#write();
  }

  /**
   * Kills the processes an earlier daemon left behind and returns their pids. Leaves everything alone
   * while that daemon still runs.
   */
  sweep(): readonly number[] {
    const left = this.#read();
    if (left === undefined) return [];
    if (left.daemon.pid !== process.pid && isSame(left.daemon)) return [];
    const orphans = left.children.filter(isSame).map(({ pid }) => pid);
    for (const pid of orphans) killGroup(pid);
    rmSync(this.#path, { force: true });
    return orphans;
  }

  #write(): void {
    if (this.#children.size === 0) {
      rmSync(this.#path, { force: true });
      return;
    }
    const content: PidFileContent = {
      daemon: { pid: process.pid, command: commandOf(process.pid) ?? '' },
      children: [...this.#children.values()],
    };
    const temporary = `${this.#path}.${process.pid}`;
    writeFileSync(temporary, JSON.stringify(content), { mode: 0o600 });
    renameSync(temporary, this.#path);
  }

  #read(): PidFileContent | undefined {
    try {
      const content: unknown = JSON.parse(readFileSync(this.#path, 'utf8'));
      return isPidFileContent(content) ? content : undefined;
    } catch {
      // No file, or one torn by a crash of the machine: no process outlived that.
      return undefined;
    }
  }
}

function isSame({ pid, command }: PidRecord): boolean {
  return commandOf(pid) === command;
}

/** The command line of a running process, or undefined when there is none under this pid. */
export function commandOf(pid: number): string | undefined {
  try {
    const command =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        : execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return command.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Kills a process and its group; what is gone already is fine. */
export function killGroup(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // No such group.
  }
}

function isPidFileContent(value: unknown): value is PidFileContent {
  if (!isObject(value)) return false;
  const { daemon, children } = value;
  return isPidRecord(daemon) && Array.isArray(children) && children.every(isPidRecord);
}

function isPidRecord(value: unknown): value is PidRecord {
  return (
    isObject(value) &&
    Number.isInteger(value['pid']) &&
    (value['pid'] as number) > 1 &&
    typeof value['command'] === 'string'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
