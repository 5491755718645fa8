/** What a daemon and its engines hold once nothing is left to do: it must be what they held before. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolList } from '@llama-orch/contracts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { parseMetrics, sumOf } from '../src/metrics-text.ts';
import { statsAt } from './fault-engines.ts';
import { openFilesOf, residentBytesOf } from './process-figures.ts';

/** Of a daemon that has nothing to do. */
export interface Footprint {
  /** What did not come to an end in time; undefined when everything did. */
  readonly unsettled: string | undefined;
  /** Resident memory, bytes. */
  readonly residentBytes: number;
  /** Files and sockets it has open; undefined on systems without /proc. */
  readonly openFiles: number | undefined;
  /** Connections that all engines count from it. */
  readonly engineSockets: number;
  readonly replicas: number;
  /** Leases granted and not given up since. */
  readonly leases: number;
}

const SETTLE_MS = 120_000;
const LOOK_EVERY_MS = 200;
/** Kept alive to each engine by probes, and by what reads its metrics beside them. */
const IDLE_SOCKETS = 2;

/**
 * Resolves once every replica is ready, nothing runs or waits anywhere, no reader is connected, and no
 * more connections to any engine are open than those of probes; or with what is left after a long time.
 * @param before what it held when it was idle before: it must not have more files open
 */
export async function footprintWhenIdle(
  daemon: DaemonProcess,
  before?: Footprint,
): Promise<Footprint> {
  const endMs = performance.now() + SETTLE_MS;
  for (;;) {
    const { engineSockets, replicas, leases, ...seen } = await look(daemon);
    const openFiles = openFilesOf(daemon.pid);
    // Each engine may have one connection more or less than it had.
    const mostFiles = (before?.openFiles ?? Infinity) + replicas;
    const isIdle =
      seen.unready.length === 0 &&
      [seen.busySlots, seen.deferred, seen.waiting, seen.readers].every((count) => count === 0) &&
      seen.mostSockets <= IDLE_SOCKETS &&
      (openFiles ?? 0) <= mostFiles;
    if (isIdle || performance.now() > endMs) {
      return {
        unsettled: isIdle ? undefined : JSON.stringify({ ...seen, openFiles, mostFiles }),
        residentBytes: residentBytesOf(daemon.pid),
        openFiles,
        engineSockets,
        replicas,
        leases,
      };
    }
    await sleep(LOOK_EVERY_MS);
  }
}

interface Look extends Pick<Footprint, 'engineSockets' | 'replicas' | 'leases'> {
  readonly unready: readonly string[];
  readonly busySlots: number;
  readonly deferred: number;
  readonly waiting: number;
  readonly readers: number;
  /** Of any one engine. */
  readonly mostSockets: number;
}

async function look(daemon: DaemonProcess): Promise<Look> {
  const { body } = await daemon.client.call('listPools');
  const { items } = body as PoolList;
  const healths = await Promise.all(items.map(({ id }) => daemon.client.poolHealth(id)));
  const replicas = healths.flatMap((health) => health.replicas);
  const unready = replicas.filter(({ state }) => state !== 'ready');
  const ready = replicas.filter(({ state }) => state === 'ready');
  const stats = await Promise.all(ready.map(({ url = '' }) => statsAt(new URL(url).origin)));
  // Each engine counts the connection that asks.
  const sockets = stats.map((each) => each.sockets - 1);
  const { text } = await daemon.client.send('GET', '/metrics');
  const scrape = parseMetrics(text);
  const leases = (event: string): number => sumOf(scrape, 'lease_events_total', { event });
  return {
    unready: unready.map(({ replica_id: id, state, last_error: why = '' }) =>
      [id, state, why].join(' '),
    ),
    busySlots: stats.reduce((sum, each) => sum + each.busySlots, 0),
    deferred: stats.reduce((sum, each) => sum + each.deferred, 0),
    engineSockets: sockets.reduce((sum, count) => sum + count, 0),
    mostSockets: Math.max(0, ...sockets),
    waiting: sumOf(scrape, 'queue_depth'),
    readers: sumOf(scrape, 'sse_streams_open'),
    replicas: replicas.length,
    leases: leases('granted') - leases('released') - leases('expired') - leases('fenced'),
  };
}
