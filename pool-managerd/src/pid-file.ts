/**
 * The processes that the daemon has spawned, on disk: the last line of defence when daemon and guard
 * were killed together. The next daemon on the same data directory kills what is left of them.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface PidRecord {
  readonly pid: number;
  /** See `identityOf`: a pid alone may long belong to somebody else. */
  readonly identity: string;
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
    const identity = identityOf(pid);
    if (identity === undefined) return;
    this.#children.set(pid, { pid, identity });
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
    if (isSame(left.daemon)) return [];
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
      daemon: { pid: process.pid, identity: identityOf(process.pid) ?? '' },
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

function isSame({ pid, identity }: PidRecord): boolean {
  return identityOf(pid) === identity;
}

/**
 * When a process was started, and in which run of the system: together they tell it from every other that has
 * had or will have its pid. Its command line is no part of it, for engines change that to show what they do.
 * Undefined when there is no such process, or only what its parent has not taken note of yet.
 */
function identityOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') return linuxIdentityOf(pid);
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return started.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** By fields 3 and 22 of `/proc/PID/stat`, see proc(5). The command in field 2 may hold spaces and brackets. */
function linuxIdentityOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const isDead = fields[0] === 'Z' || fields[0] === 'X';
  return isDead ? undefined : `${bootId()} ${fields[19]}`;
}

/** See random(4); '' where a sandbox hides it. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
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
    typeof value['identity'] === 'string'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
