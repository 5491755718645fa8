/** The client of one task: behaves as planned, and judges what it was given. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ErrorKind, Task, TaskExplanation } from '@llama-orch/contracts';
import type { DaemonClient } from '../src/daemon-client.ts';
import type { EventStream, TaskEvent } from '../src/event-stream.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { ChaosClient, type Meanwhile } from './chaos-client.ts';
import type { Behaviour, PlannedTask } from './fault-tasks.ts';

/** How a task ended, as far as the report needs it. */
export interface TaskOutcome {
  readonly plan: PlannedTask;
  readonly state: 'completed' | 'failed' | 'canceled';
  readonly code: ErrorKind | undefined;
  readonly retriable: boolean | undefined;
  readonly attempts: number;
  /** Why it went back to the queue, each time; only of one that failed. */
  readonly requeues: readonly string[];
  /** There was some output before its end, for somebody to see. */
  readonly hadOutput: boolean;
  readonly resumptions: number;
  readonly tokens: number;
}

/** Generous: it bounds a hang. */
const PATIENCE_MS = 180_000;
const DAWDLES = 5;
/** Turns of the event loop in which everything is read that was sent before an answer that was read. */
const TURNS = 20;

/** @throws Error that says what was wrong */
export async function runTask(daemon: DaemonClient, plan: PlannedTask): Promise<TaskOutcome> {
  const client = new ChaosClient(daemon, plan.request);
  const lateTokens = await behave(daemon, client, plan);
  if (client.violation !== undefined) throw new Error(client.violation);
  if (client.admission !== 'accepted') throw new Error(`not accepted: ${client.admission}`);
  const { task_id: id } = plan.request;
  // Who has read the end may rely on it; whoever has not must wait for it.
  const task = client.isOver ? await daemon.task(id) : await daemon.untilEnded(id, PATIENCE_MS);
  if (lateTokens > 0) throw new Error(`${lateTokens} tokens after an acknowledged cancel`);
  const requeues = task.state === 'failed' ? await requeuesOf(daemon, id) : [];
  return { ...outcomeOf(plan, client, task), requeues };
}

/** @returns the tokens that came after the acknowledgement of a cancel */
async function behave(
  daemon: DaemonClient,
  client: ChaosClient,
  { behaviour }: PlannedTask,
): Promise<number> {
  switch (behaviour.kind) {
    case 'vanishes': {
      const query = behaviour.cancels ? '?cancel_on_disconnect=true' : '';
      await client.postStream(leaveAt(behaviour.at), query);
      return 0;
    }
    case 'streams':
      await client.postStream();
      break;
    default:
      await client.post();
  }
  if (client.admission !== 'accepted' || behaviour.kind === 'polls') return 0;
  const lateTokens = await follow(daemon, client, behaviour);
  if (!client.isOver) await client.follow();
  if (!client.isOver) client.violation ??= 'its stream broke';
  return lateTokens;
}

/** Follows a task that was posted, perhaps not to its end. @returns as `behave` */
async function follow(
  daemon: DaemonClient,
  client: ChaosClient,
  behaviour: Behaviour,
): Promise<number> {
  let lateTokens = 0;
  switch (behaviour.kind) {
    case 'returns':
      for (const at of behaviour.at) {
        if (!client.isOver) await client.follow(leaveAt(at));
      }
      break;
    case 'dawdles':
      await client.follow(async (stream) => {
        for (let i = 0; i < DAWDLES; i += 1) {
          stream.pause();
          await sleep(behaviour.pauseMs);
          stream.resume();
          await seen(stream, stream.events.length + 1);
        }
      });
      break;
    case 'cancels':
      if (behaviour.at === 0) {
        const isCanceled = await cancel(daemon, client);
        await client.follow();
        return isCanceled ? client.events.filter(({ event }) => event === 'token').length : 0;
      }
      await client.follow(async (stream) => {
        await seen(stream, behaviour.at);
        const isCanceled = await cancel(daemon, client);
        for (let turn = 0; turn < TURNS; turn += 1) await new Promise(setImmediate);
        const before = stream.tokens.length;
        await stream.ended;
        if (isCanceled) lateTokens = stream.tokens.length - before;
      });
      break;
    default:
      if (!client.isOver) await client.follow();
  }
  return lateTokens;
}

function leaveAt(events: number): Meanwhile {
  return async (stream) => {
    await seen(stream, events);
    await stream.cut();
  };
}

/** @returns false when the task had ended before */
async function cancel(daemon: DaemonClient, client: ChaosClient): Promise<boolean> {
  const { task_id: id } = client.task;
  await daemon.cancel(id);
  const { state } = await daemon.task(id);
  if (state === 'queued' || state === 'running') {
    client.violation ??= `${state} after an acknowledged cancel`;
  }
  return state === 'canceled';
}

/** Resolves when the stream has so many events, or is over. */
async function seen(stream: EventStream, events: number): Promise<void> {
  const enough = stream.until('events', () => stream.events.length >= events, PATIENCE_MS);
  // A stream that ended before is no failure here: it is judged by what it held.
  await enough.catch(() => undefined);
}

async function requeuesOf(daemon: DaemonClient, id: string): Promise<readonly string[]> {
  const { body } = await daemon.call('explainTask', { path: [id] });
  const { entries } = body as TaskExplanation;
  return entries.flatMap((entry) => (entry.kind === 'requeued' ? [entry.reason] : []));
}

/** @throws Error for what its contract does not allow */
function outcomeOf(
  plan: PlannedTask,
  client: ChaosClient,
  task: Task,
): Omit<TaskOutcome, 'requeues'> {
  const { expected, behaviour } = plan;
  const { events, isOver, resumptions } = client;
  const tokens = events.filter(({ event }) => event === 'token').length;
  const isWhole = expected.text === undefined;
  if (isOver && isWhole) checkWholeAnswer(events);
  const text =
    isOver && !isWhole
      ? checkWholeStream(events)
      : events.map((each) => (each.event === 'token' ? each.data.t : '')).join('');
  if (!(expected.text ?? '').startsWith(text)) throw new Error('wrong bytes in its stream');

  const { state, error, attempts } = task;
  switch (state) {
    case 'completed':
      if (!isDeepStrictEqual(task.result, expected)) throw new Error('not its result');
      if (isOver && text !== (expected.text ?? '')) throw new Error('its stream is not all of it');
      break;
    case 'canceled':
      if (behaviour.kind !== 'cancels' && behaviour.kind !== 'vanishes') {
        throw new Error('canceled by nobody');
      }
      break;
    case 'failed': {
      if (error === undefined) throw new Error('failed without an error');
      const last = events.at(-1);
      const told = last?.event === 'error' ? last.data : undefined;
      if (isOver && (told?.code !== error.code || told.retriable !== error.retriable)) {
        throw new Error('its stream tells of another end');
      }
      break;
    }
    default:
      throw new Error(`${state} after its end`);
  }
  return {
    plan,
    state,
    code: error?.code,
    retriable: error?.retriable,
    attempts,
    hadOutput: tokens > 0 || (task.result?.text ?? '') !== '',
    resumptions,
    tokens,
  };
}

/** The stream of an embedding or a ranking tells of its start and its end. */
function checkWholeAnswer(events: readonly TaskEvent[]): void {
  const told = events.map(({ event }) => event).join(' ');
  if (!/^(started )?(end|error)$/.test(told)) throw new Error(`${told} for a whole answer`);
}
