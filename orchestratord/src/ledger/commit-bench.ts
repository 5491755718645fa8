/**
 * How fast the ledger commits: `node commit-bench.ts [LOOPS] [SECONDS]`. Each loop writes one event of
 * about 400 bytes, waits until it is durable, and writes the next. Times depend on the disk.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLedger } from './open-ledger.ts';

const loops = Number(process.argv[2] ?? 50);
const seconds = Number(process.argv[3] ?? 5);
const folder = await mkdtemp(join(tmpdir(), 'ledger-bench-'));
const ledger = await openLedger({ path: join(folder, 'ledger.sqlite') });

const commitMs: number[] = [];
const groupEvents: number[] = [];
const writeMs: number[] = [];
ledger.onCommit((stats) => {
  commitMs.push(stats.commitMs);
  groupEvents.push(stats.events);
});

const event = {
  v: 1,
  type: 'task.accepted',
  atMs: Date.now(),
  taskId: '0198c0de-7000-7000-8000-000000000001',
  data: JSON.stringify({ prompt: 'x'.repeat(385) }),
};

const cpuBefore = process.threadCpuUsage();
const startedAt = performance.now();
const stopAt = startedAt + seconds * 1_000;

async function writeUntilEnd(): Promise<void> {
  for (let now = performance.now(); now < stopAt;) {
    await ledger.write({ events: [event] });
    const durableAt = performance.now();
    writeMs.push(durableAt - now);
    now = durableAt;
  }
}

await Promise.all(Array.from({ length: loops }, writeUntilEnd));
const tookMs = performance.now() - startedAt;
const cpu = process.threadCpuUsage(cpuBefore);
await ledger.close();
await rm(folder, { recursive: true });

function quantiles(values: number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)]?.toFixed(2);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

console.table({
  'write to durable, ms': quantiles(writeMs),
  'commit, ms': quantiles(commitMs),
  'events in a commit': quantiles(groupEvents),
});
console.log(`durable writes per second: ${Math.round((writeMs.length / tookMs) * 1_000)}`);
const cpuPerWrite = (cpu.user + cpu.system) / writeMs.length;
console.log(`main thread per write, this loop included: ${cpuPerWrite.toFixed(2)} µs`);
