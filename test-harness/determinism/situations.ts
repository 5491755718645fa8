/**
 * The situations in which a seed must give the bytes that it gave alone. Each runs its seeds in a way of its
 * own, and says whether what it is about has happened at all.
 */
import { randomUUID } from 'node:crypto';
import type { Task, TaskRequest } from '@llama-orch/contracts';
import { ContractViolation } from '../src/contract-check.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf, type EventStream } from '../src/event-stream.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { SLOTS, type Bench } from './engines.ts';
import type { SeedRun } from './proof-bundle.ts';

export const PROMPT = 'Write a haiku about rivers.';
export const MAX_TOKENS = 48;
const REPLICAS = ['0', '1'] as const;
const ROUNDS = 20;
/** A bound on a hang: hundreds of tasks wait for each other, on whatever machine. */
const PATIENCE_MS = 300_000;

export interface Stage {
  readonly daemon: DaemonProcess;
  readonly bench: Bench;
}

export interface Situation {
  readonly name: string;
  /** Takes long, so that the everyday form plays it with few seeds. */
  readonly isCostly: boolean;
  /** @throws Error when what it is about did not happen */
  readonly play: (stage: Stage, seeds: readonly number[]) => Promise<readonly SeedRun[]>;
}

function requestFor(seed: number, more: TaskRequest = {}): TaskRequest {
  return { prompt: PROMPT, seed, max_tokens: MAX_TOKENS, determinism: 'strict', ...more };
}

const on = (ordinal: string): TaskRequest => ({ placement: { labels: { ordinal } } });

/** What a whole stream said. @throws ContractViolation when it was not whole */
export function runOf(seed: number, stream: EventStream): SeedRun {
  checkWholeStream(stream.events);
  const [started] = stream.events;
  if (started?.event !== 'started' || stream.terminal?.event !== 'end') {
    throw new ContractViolation(`seed ${seed} did not run: ${JSON.stringify(stream.terminal)}`);
  }
  const replicaId = started.data.replica_id ?? '';
  return { seed, replicaId, tokens: stream.tokens.map(({ data }) => data.t) };
}

async function run({ daemon }: Stage, seed: number, more?: TaskRequest): Promise<SeedRun> {
  const stream = await daemon.client.postStream(requestFor(seed, more));
  await stream.toEnd(PATIENCE_MS);
  return runOf(seed, stream);
}

function postAll({ client }: DaemonProcess, seeds: readonly number[], more?: TaskRequest) {
  return Promise.all(seeds.map((seed) => client.postStream(requestFor(seed, more))));
}

/** Resolves when the first of the streams is on its way. */
async function aToken([first]: readonly EventStream[]): Promise<void> {
  await first?.until('a token', () => first.tokens.length > 0, PATIENCE_MS);
}

/** The tasks behind streams, once all have ended. */
async function endsOf({ client }: DaemonProcess, streams: readonly EventStream[]): Promise<Task[]> {
  await Promise.all(streams.map((stream) => stream.toEnd(PATIENCE_MS)));
  return Promise.all(streams.map((stream) => client.task(taskIdOf(stream))));
}

/** On a busy machine all may be over before anything could happen to it: then it is played once more. */
async function untilItHappened(
  what: string,
  play: () => Promise<{ readonly runs: readonly SeedRun[]; readonly happened: boolean }>,
): Promise<readonly SeedRun[]> {
  const runs: SeedRun[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const played = await play();
    runs.push(...played.runs);
    if (played.happened) return runs;
  }
  throw new Error(`in ${ROUNDS} rounds it never happened that ${what}`);
}

async function oneByOne(
  stage: Stage,
  seeds: readonly number[],
  more: TaskRequest,
): Promise<SeedRun[]> {
  const runs: SeedRun[] = [];
  for (const seed of seeds) runs.push(await run(stage, seed, more));
  return runs;
}

/** Every seed on each replica with nothing beside it: what all other runs are held against, and the first of those. */
export async function aloneOnEach(
  stage: Stage,
  seeds: readonly number[],
): Promise<{ readonly first: readonly SeedRun[]; readonly second: readonly SeedRun[] }> {
  const [first = [], second = []] = await Promise.all(
    REPLICAS.map((ordinal) => oneByOne(stage, seeds, on(ordinal))),
  );
  return { first, second };
}

export const SITUATIONS: readonly Situation[] = [
  {
    name: 'with all slots of both replicas busy',
    isCostly: false,
    play: (stage, seeds) =>
      Promise.all(
        REPLICAS.flatMap((ordinal) => seeds.map((seed) => run(stage, seed, on(ordinal)))),
      ),
  },
  {
    name: 'after a turn of a session left its KV in the cache',
    isCostly: true,
    async play(stage, seeds) {
      const runs: SeedRun[] = [];
      for (const [n, seed] of seeds.entries()) {
        const turn = { session_id: randomUUID(), ...on(REPLICAS[n % REPLICAS.length] ?? '0') };
        runs.push(await run(stage, seed, turn), await run(stage, seed, turn));
      }
      return runs;
    },
  },
  {
    name: 'after being stopped for others',
    isCostly: true,
    play: ({ daemon }, seeds) =>
      untilItHappened('a task was stopped for another', async () => {
        const { client } = daemon;
        const streams = await postAll(daemon, seeds, { priority: 'batch' });
        await aToken(streams);
        const urgent = { prompt: 'now', max_tokens: 4 } as const;
        const pressing = await Promise.all(
          Array.from({ length: 2 * SLOTS }, () => client.postStream(urgent)),
        );
        await endsOf(daemon, pressing);
        const tasks = await endsOf(daemon, streams);
        return {
          runs: streams.map((stream, n) => runOf(seeds[n] ?? 0, stream)),
          happened: tasks.some(({ usage }) => (usage?.preemptions ?? 0) > 0),
        };
      }),
  },
  {
    name: 'after its engine failed in the middle of it',
    isCostly: true,
    play: ({ daemon, bench }, seeds) =>
      untilItHappened('a task ran again elsewhere', async () => {
        const streams = await postAll(daemon, seeds);
        await aToken(streams);
        bench.disturb(daemon);
        const tasks = await endsOf(daemon, streams);
        await daemon.client.untilReady(REPLICAS.length);
        return {
          runs: streams.map((stream, n) => runOf(seeds[n] ?? 0, stream)),
          happened: tasks.some(({ attempts }) => attempts > 1),
        };
      }),
  },
  {
    name: 'across a crash and restart of the daemon',
    isCostly: true,
    async play({ daemon }, seeds) {
      const { client } = daemon;
      const streams = await postAll(daemon, seeds);
      await aToken(streams);
      await daemon.kill9();
      await daemon.restart();
      await client.untilReady(2);
      const again = await Promise.all(streams.map((each) => client.stream(taskIdOf(each))));
      await Promise.all(again.map((stream) => stream.toEnd(PATIENCE_MS)));
      return again.map((stream, n) => runOf(seeds[n] ?? 0, stream));
    },
  },
];
