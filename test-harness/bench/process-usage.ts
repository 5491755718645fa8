/** What a process has used so far, from Linux's /proc (proc_pid_stat(5), proc_pid_status(5)). */
import { readFileSync } from 'node:fs';

/** USER_HZ: the unit of the times in /proc/PID/stat, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Positions after the command name in /proc/PID/stat, which stands in parentheses. */
const UTIME = 11;
const STIME = 12;

/** CPU seconds of all threads, user and system. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_SECOND;
}

/** CPU seconds of the main thread: in a Node process, of its event loop. */
export function mainThreadSeconds(pid: number): number {
  const onCpuNs = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0];
  return Number(onCpuNs) / 1e9;
}

export interface Memory {
  /** Resident, MB (10^6 bytes). */
  readonly residentMb: number;
  /** The most that was resident since the start, MB. */
  readonly peakMb: number;
}

export function memory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (field: string): number => {
    const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
    return (Number(kibibytes) * 1024) / 1e6;
  };
  return { residentMb: megabytes('VmRSS'), peakMb: megabytes('VmHWM') };
}

export interface Usage {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly mainThreadSeconds: number;
}

/** Runs `work` and tells what the process used meanwhile. */
export async function usageDuring<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly usage: Usage }> {
  const startedAt = performance.now();
  const cpu = cpuSeconds(pid);
  const mainThread = mainThreadSeconds(pid);
  const value = await work();
  return {
    value,
    usage: {
      wallSeconds: (performance.now() - startedAt) / 1000,
      cpuSeconds: cpuSeconds(pid) - cpu,
      mainThreadSeconds: mainThreadSeconds(pid) - mainThread,
    },
  };
}
