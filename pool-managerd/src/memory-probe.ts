/**
 * How much memory there is: of the host by `/proc/meminfo` and the control group, of NVIDIA GPUs by
 * `nvidia-smi`. Whatever cannot be found out is undefined, which is no reason to refuse anything.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { freemem } from 'node:os';

export interface GpuReading {
  /** In PCI bus order, as `CUDA_DEVICE_ORDER=PCI_BUS_ID` numbers them too. */
  readonly index: number;
  readonly uuid: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly usedBytes: number;
  /** Percent of the last second or so in which it computed. */
  readonly utilization: number | undefined;
}

export interface MemoryReading {
  /** What a new process could take, page cache that gives way included. */
  readonly hostFreeBytes: number | undefined;
  /** Undefined where no NVIDIA driver answers. */
  readonly gpus: readonly GpuReading[] | undefined;
}

export interface MemoryProbe {
  /** Never rejects. Those who ask at the same time share one answer. */
  read(): Promise<MemoryReading>;
  /** How often the system has killed a process for want of memory; undefined where it does not say. */
  oomKills(): number | undefined;
}

const GPU_QUERY = [
  '--query-gpu=index,uuid,memory.total,memory.free,memory.used,utilization.gpu',
  '--format=csv,noheader,nounits',
];
/** It takes long while a driver is being reset, and hangs when one is broken. */
const GPU_QUERY_MS = 2000;
const GPU_QUERY_MAX_BYTES = 64 * 1024;
const MIB = 1024 * 1024;
const CGROUP = '/sys/fs/cgroup';

export function createMemoryProbe(): MemoryProbe {
  let hasGpuTool = true;
  let pending: Promise<MemoryReading> | undefined;
  const readGpus = async (): Promise<readonly GpuReading[] | undefined> => {
    if (!hasGpuTool) return undefined;
    const answer = await queryGpus();
    if (answer === 'no-tool') hasGpuTool = false;
    return typeof answer === 'string' ? undefined : answer;
  };
  const read = async (): Promise<MemoryReading> => {
    const [hostFreeBytes, gpus] = await Promise.all([readHostFree(), readGpus()]);
    return { hostFreeBytes, gpus };
  };
  return {
    read() {
      pending ??= read().finally(() => (pending = undefined));
      return pending;
    },
    oomKills: readOomKills,
  };
}

function queryGpus(): Promise<readonly GpuReading[] | 'no-tool' | 'no-answer'> {
  return new Promise((resolve) => {
    const limits = { timeout: GPU_QUERY_MS, maxBuffer: GPU_QUERY_MAX_BYTES, killSignal: 9 };
    execFile('nvidia-smi', GPU_QUERY, limits, (error, stdout) => {
      if (error === null) return resolve(parseGpus(stdout));
      resolve((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no-tool' : 'no-answer');
    });
  });
}

/** One line for each GPU; one whose memory the driver does not tell is left out. */
export function parseGpus(csv: string): readonly GpuReading[] {
  return csv.split('\n').flatMap((line): GpuReading[] => {
    const [index = '', uuid = '', ...figures] = line.split(',').map((field) => field.trim());
    const [total = NaN, free = NaN, used = NaN, utilization = NaN] = figures.map(Number);
    if (!/^\d+$/.test(index) || !Number.isFinite(total + free + used)) return [];
    return [
      {
        index: Number(index),
        uuid,
        totalBytes: total * MIB,
        freeBytes: free * MIB,
        usedBytes: used * MIB,
        utilization: Number.isFinite(utilization) ? utilization : undefined,
      },
    ];
  });
}

async function readHostFree(): Promise<number> {
  const [meminfo, max, current, stat] = await Promise.all(
    ['/proc/meminfo', ...['max', 'current', 'stat'].map((name) => `${CGROUP}/memory.${name}`)].map(
      (path) => readFile(path, 'latin1').catch(() => ''),
    ),
  );
  const available = figureOf(meminfo ?? '', /^MemAvailable:\s+(\d+) kB/m);
  const ofHost = available === undefined ? freemem() : available * 1024;
  return Math.min(ofHost, groupFree(max ?? '', current ?? '', stat ?? ''));
}

/**
 * What a control group has left (Linux `cgroup-v2.rst`): its limit less what it uses, where cached files
 * count as free. Infinity without a limit.
 */
export function groupFree(max: string, current: string, stat: string): number {
  const limit = figureOf(max, /^(\d+)$/m);
  const used = figureOf(current, /^(\d+)$/m);
  if (limit === undefined || used === undefined) return Infinity;
  const cached =
    (figureOf(stat, /^active_file (\d+)$/m) ?? 0) + (figureOf(stat, /^inactive_file (\d+)$/m) ?? 0);
  return Math.max(0, limit - used + cached);
}

function readOomKills(): number | undefined {
  return (
    figureOf(textOf(`${CGROUP}/memory.events`), /^oom_kill (\d+)$/m) ??
    figureOf(textOf('/proc/vmstat'), /^oom_kill (\d+)$/m)
  );
}

/** These files are made in memory as they are read: there is no disk to wait for. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function figureOf(text: string, pattern: RegExp): number | undefined {
  const figure = pattern.exec(text)?.[1];
  return figure === undefined ? undefined : Number(figure);
}
