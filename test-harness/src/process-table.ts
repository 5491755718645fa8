/** Reads the system's process table: who descends from whom, and who still runs. */
import { execFileSync } from 'node:child_process';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Every process but zombies. */
function runningProcesses(): readonly ProcessEntry[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat=,command='], { encoding: 'utf8' });
  const entries: ProcessEntry[] = [];
  for (const line of text.split('\n')) {
    const [, pid, parent, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (pid === undefined || command === undefined || state?.startsWith('Z')) continue;
    entries.push({ pid: Number(pid), parent: Number(parent), command });
  }
  return entries;
}

/** Children of a process and theirs, at any depth. */
export function descendantsOf(pid: number): readonly ProcessEntry[] {
  const all = runningProcesses();
  const found: ProcessEntry[] = [];
  const queue = [pid];
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    for (const entry of all) {
      if (entry.parent !== parent) continue;
      found.push(entry);
      queue.push(entry.pid);
    }
  }
  return found;
}

/** Those of `entries` that still run; a pid that was given to another command does not count. */
export function stillRunning(entries: readonly ProcessEntry[]): readonly ProcessEntry[] {
  const now = new Map(runningProcesses().map((entry) => [entry.pid, entry.command]));
  return entries.filter(({ pid, command }) => now.get(pid) === command);
}
