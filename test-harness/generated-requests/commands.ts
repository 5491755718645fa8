/** What a client may do, as fast-check commands: in any order, several at once, against a small model. */
import { randomUUID } from 'node:crypto';
import type { AdmissionResponse } from '@llama-orch/contracts';
import fc from 'fast-check';
import { ContractViolation } from '../src/contract-check.ts';
import type { DaemonClient } from '../src/daemon-client.ts';
import { KnownTask } from './known-task.ts';

/** What there should be. */
export interface Model {
  tasks: number;
  /** Which sessions there are, by number. */
  readonly sessions: Set<number>;
}

/** What there is, and what is known of it. */
export interface Real {
  readonly client: DaemonClient;
  readonly tasks: KnownTask[];
  /** Session ids by number. */
  readonly sessions: readonly string[];
}

export const SESSIONS = 2;

type Command = fc.AsyncCommand<Model, Real>;
/** A call about one task that exists: they may run beside each other. */
type TaskCall = (real: Real, task: KnownTask) => Promise<void>;

export function newRun(client: DaemonClient): { model: Model; real: Real } {
  const sessions = Array.from({ length: SESSIONS }, () => randomUUID());
  return { model: { tasks: 0, sessions: new Set() }, real: { client, tasks: [], sessions } };
}

export const commandArbitraries: readonly fc.Arbitrary<Command>[] = [
  fc
    .record({
      session: fc.option(fc.nat({ max: SESSIONS - 1 })),
      tokens: fc.integer({ min: 1, max: 9 }),
    })
    .map(({ session, tokens }) => creation(session ?? undefined, tokens)),
  taskCalls().map((call) => onTasks([call])),
  fc.array(taskCalls(), { minLength: 2, maxLength: 6 }).map(onTasks),
  fc.nat({ max: SESSIONS - 1 }).map(lookUpSession),
  fc.nat({ max: SESSIONS - 1 }).map(deletion),
];

interface NamedCall {
  readonly name: string;
  readonly which: number;
  readonly call: TaskCall;
}

function taskCalls(): fc.Arbitrary<NamedCall> {
  const calls: readonly fc.Arbitrary<Omit<NamedCall, 'which'>>[] = [
    fc.constant({ name: 'cancel', call: ({ client }, task) => task.cancel(client) }),
    fc.constant({ name: 'look up', call: ({ client }, task) => task.look(client) }),
    fc.constant({ name: 'create again', call: createAgain }),
    fc.constant({ name: 'create another of its id', call: createOther }),
    fc.integer({ min: 1, max: 5 }).map((most) => ({
      name: `resume for ${most} events`,
      call: ({ client }, task) => task.follow(client, task.lastEventId, most),
    })),
    fc.constant({ name: 'follow', call: ({ client }, task) => task.follow(client, 0) }),
  ];
  return fc
    .tuple(fc.nat({ max: 20 }), fc.oneof(...calls))
    .map(([which, each]) => ({ which, ...each }));
}

function onTasks(calls: readonly NamedCall[]): Command {
  return {
    check: (model) => model.tasks > 0,
    async run(_model, real) {
      await Promise.all(
        calls.map(async ({ which, call }) => {
          const task = real.tasks[which % real.tasks.length];
          if (task !== undefined) await call(real, task);
        }),
      );
    },
    toString: () => calls.map(({ name, which }) => `${name} ${which}`).join(' | '),
  };
}

function creation(session: number | undefined, tokens: number): Command {
  return {
    check: () => true,
    async run(model, real) {
      const sessionId = session === undefined ? undefined : real.sessions[session];
      const request = {
        task_id: randomUUID(),
        prompt: `task ${model.tasks}`,
        max_tokens: tokens,
        ...(sessionId === undefined ? {} : { session_id: sessionId }),
      };
      const { seed } = await real.client.admit(request);
      real.tasks.push(new KnownTask(request, seed));
      model.tasks += 1;
      if (session !== undefined) model.sessions.add(session);
    },
    toString: () => `create(${session === undefined ? '' : `session ${session}, `}${tokens})`,
  };
}

async function createAgain({ client }: Real, task: KnownTask): Promise<void> {
  const { task_id: id, seed }: AdmissionResponse = await client.admit(task.request);
  if (id !== task.id || seed !== task.seed) {
    throw new ContractViolation(`task ${task.id} was created again as ${id} with seed ${seed}`);
  }
}

async function createOther({ client }: Real, task: KnownTask): Promise<void> {
  const body = { ...task.request, prompt: 'something else' };
  const { status } = await client.call('createTask', { body });
  if (status !== 409) throw new ContractViolation(`${status} for another task of id ${task.id}`);
}

function lookUpSession(session: number): Command {
  return {
    check: () => true,
    async run(model, { client, sessions }) {
      const { status } = await client.call('getSession', { path: [sessions[session] ?? ''] });
      expectStatus(`session ${session}`, status, model.sessions.has(session) ? 200 : 404);
    },
    toString: () => `look up session ${session}`,
  };
}

function deletion(session: number): Command {
  return {
    check: () => true,
    async run(model, { client, sessions }) {
      const { status } = await client.call('deleteSession', { path: [sessions[session] ?? ''] });
      expectStatus(`deleting session ${session}`, status, model.sessions.has(session) ? 204 : 404);
      model.sessions.delete(session);
    },
    toString: () => `delete session ${session}`,
  };
}

function expectStatus(what: string, found: number, expected: number): void {
  if (found !== expected) throw new ContractViolation(`${what}: ${found} instead of ${expected}`);
}
