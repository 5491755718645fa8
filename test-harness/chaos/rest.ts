/** The daemon once nothing is left to do: idle, as small as before, and serving as ever. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolList, TaskRequest } from '@llama-orch/contracts';
import { expectedPieces } from '../engines/kit/vocabulary.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { parseMetrics, sumOf } from '../src/metrics-text.ts';
import { ChaosClient } from './chaos-client.ts';
import { openFilesOf, residentBytesOf } from './process-figures.ts';
import { judgeTask, noFailure, type Observation } from './verdict.ts';

export interface Rest {
  readonly residentBytes: number;
  readonly openFiles: number | undefined;
  /** What had not come to an end in time; undefined when everything had. */
  readonly unsettled: string | undefined;
}

const SETTLE_MS = 60_000;
const LOOK_EVERY_MS = 100;
/** What a collector has not looked at yet, and pages that it keeps. */
export const MEMORY_SLACK_BYTES = 128 * 2 ** 20;
/** Connections to engines that are kept alive, for every slot and for control, and those of the one who looks. */
const FILES_SLACK = 32;
const PROBES = 4;

/** Resolves when every replica is ready and nothing runs, waits or is read; or with what is left after long. */
export async function untilAtRest(daemon: DaemonProcess, before?: Rest): Promise<Rest> {
  const endMs = performance.now() + SETTLE_MS;
  for (;;) {
    const busy = await busyWith(daemon);
    const openFiles = openFilesOf(daemon.pid);
    if (before?.openFiles !== undefined && (openFiles ?? 0) > before.openFiles + FILES_SLACK) {
      busy.push(`${openFiles} files open, ${before.openFiles} before`);
    }
    if (busy.length === 0 || performance.now() > endMs) {
      const unsettled = busy.length === 0 ? undefined : busy.join(', ');
      return { residentBytes: residentBytesOf(daemon.pid), openFiles, unsettled };
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/** Memory of the same life of the daemon, before and after. */
export function judgeMemory(before: Rest, after: Rest, slackBytes: number): readonly string[] {
  const grown = after.residentBytes - before.residentBytes;
  if (grown <= slackBytes) return [];
  return [`it takes ${Math.round(grown / 2 ** 20)} MiB more than before`];
}

/** Whether the daemon serves tasks as ever. @returns what they saw, and what was wrong */
export async function probe(daemon: DaemonProcess): Promise<{
  readonly observations: readonly Observation[];
  readonly violations: readonly string[];
}> {
  const observations = await Promise.all(
    Array.from({ length: PROBES }, (_, n) => observeOne(daemon, `Is all well, ${n}?`, 12)),
  );
  const violations = observations.flatMap((each) => judgeTask(each, noFailure));
  const { status, text } = await daemon.client.call('getReadiness');
  if (status !== 200) violations.push(`not ready: ${text}`);
  return { observations, violations: violations.map((each) => `afterwards: ${each}`) };
}

/** Posts one task to a daemon that nobody disturbs, and reads it to its end. */
export async function observeOne(
  daemon: DaemonProcess,
  prompt: string,
  maxTokens: number,
  request: Partial<TaskRequest> = {},
): Promise<Observation> {
  const client = new ChaosClient(daemon.client, {
    prompt,
    prompt_format: 'raw',
    seed: 1,
    max_tokens: maxTokens,
    ...request,
  });
  await client.post();
  if (client.admission === 'accepted') await client.follow();
  return observationOf(daemon, client, prompt, maxTokens);
}

/** What a client saw of a task with the seed 1 that nobody canceled. */
export async function observationOf(
  daemon: DaemonProcess,
  client: ChaosClient,
  prompt: string,
  maxTokens: number,
): Promise<Observation> {
  const { task_id: taskId, determinism } = client.task;
  return {
    taskId,
    isBestEffort: determinism === 'best_effort',
    expectedText: expectedPieces(prompt, 1, maxTokens).join(''),
    refusals: 0,
    events: client.events,
    tokensAtCancel: undefined,
    state: client.isOver ? (await daemon.client.task(taskId)).state : undefined,
    violation: client.violation,
  };
}

async function busyWith(daemon: DaemonProcess): Promise<string[]> {
  const { body } = await daemon.client.call('listPools');
  const { items } = body as PoolList;
  const healths = await Promise.all(items.map(({ id }) => daemon.client.poolHealth(id)));
  const replicas = healths.flatMap((health) => health.replicas);
  const busy = replicas
    .filter(
      ({ state, slots_free: free, slots_total: total }) => state !== 'ready' || free !== total,
    )
    .map(({ replica_id: id, state, slots_free: free }) => `${id} ${state}, ${free} slots free`);
  const { text } = await daemon.client.send('GET', '/metrics');
  const scrape = parseMetrics(text);
  for (const name of ['queue_depth', 'sse_streams_open']) {
    const count = sumOf(scrape, name);
    if (count !== 0) busy.push(`${name} ${count}`);
  }
  return busy;
}
