/** What the system says of a process, and limits that it sets for one. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

/** Resident memory, bytes. */
export function residentBytesOf(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024;
}

/** Files and sockets it has open; undefined on systems without /proc. */
export function openFilesOf(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return undefined;
  }
}

/**
 * Writes beyond this size of a file are refused from now on, as on a full disk (RLIMIT_FSIZE, which pipes
 * and sockets do not have); undefined lifts the limit. Only the soft limit is set, so it can be lifted.
 * @throws Error where there is no `prlimit` (util-linux)
 */
export function limitFileSize(pid: number, bytes: number | undefined): void {
  const soft = bytes === undefined ? 'unlimited' : String(bytes);
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${soft}:unlimited`]);
}
