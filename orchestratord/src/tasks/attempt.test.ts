import type { Command } from '@llama-orch/orchestrator-core';
import type { ReplicaHandle, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import {
  type EnginePrompt,
  EngineError,
  type EngineRequest,
  type EngineResult,
  type TokenSink,
  type WorkerAdapter,
} from '@llama-orch/worker-adapters';
import { VirtualClock } from '@llama-orch/pool-managerd/testing';
import { describe, expect, test, vi } from 'vitest';
import { createMemoryLedger } from '../ledger/memory-ledger.ts';
import { runAttempt, type AttemptPorts } from './attempt.ts';
import { DurableWriter } from './durable-writer.ts';
import { LiveTask } from './live-task.ts';
import { MAX_UNPERSISTED, type LogEntry } from './task-log.ts';
import { TranscriptWriter } from './transcript-writer.ts';

type Run = (request: EngineRequest, sink: TokenSink, signal: AbortSignal) => Promise<EngineResult>;

const RESULT: EngineResult = {
  finishReason: 'stop',
  tokensIn: 3,
  tokensOut: 3,
  cachedTokens: 0,
  decodeMs: 5,
  slotId: 0,
};

const REPLICA = {
  replicaId: 'default-0',
  poolId: 'default',
  setId: 'set',
  engine: 'llamacpp',
  engineVersion: 'v',
  modelDigest: 'sha256:0',
} as ReplicaSnapshot;

function replica(run: Run | Partial<WorkerAdapter>): ReplicaHandle {
  const adapter = (typeof run === 'function' ? { submit: run } : run) as WorkerAdapter;
  return { snapshot: REPLICA, adapter, envelope: { prefix: '<', suffix: '>' } };
}

function liveTask(request: object = {}, restored?: readonly LogEntry[]): LiveTask {
  return new LiveTask(
    {
      taskId: '00000000-0000-4000-8000-000000000001',
      tenantId: 'default',
      poolId: 'default',
      modelId: 'm',
      engine: 'llamacpp',
      correlationId: 'c',
      request: { prompt: 'hi', ...request },
      promptFormat: 'auto',
      seed: '7',
      requestHash: undefined,
      acceptedAtMs: 0,
      deadlineAtMs: undefined,
    },
    restored,
  );
}

async function attempt(
  run: Run | Partial<WorkerAdapter>,
  task = liveTask(),
  abort = new AbortController(),
) {
  const commands: Command[] = [];
  const ledger = createMemoryLedger();
  const clock = new VirtualClock();
  const writer = new DurableWriter({ ledger, clock, random: () => 0.5, onFatal: vi.fn() });
  const ports: AttemptPorts = {
    clock,
    transcripts: new TranscriptWriter({ writer, clock, intervalMs: 20 }),
    command: (command) => commands.push(command),
    onTokens: vi.fn(),
    onStarted: vi.fn(),
    onFirstToken: vi.fn(),
    onResult: vi.fn(),
    prefixAfter: () => undefined,
  };
  const end = await runAttempt(task, 1, replica(run), abort.signal, ports);
  return { task, commands, end, ports };
}

const speak =
  (...reads: readonly (readonly string[])[]): Run =>
  async (_request, sink) => {
    sink.started();
    for (const pieces of reads) await sink.tokens(pieces);
    return RESULT;
  };

test('tokens reach the log in order, and the core hears of the end', async () => {
  const { task, commands } = await attempt(speak(['a', 'b'], ['c']));
  expect(task.log.text()).toBe('abc');
  expect(task.log.entry(0)).toMatchObject({ event: 'started' });
  expect(commands.at(-1)).toMatchObject({
    type: 'finish',
    finishReason: 'stop',
    usage: { tokensIn: 3, tokensOut: 3 },
  });
});

test('OC-CTRL-2015 a bare prompt is wrapped by the chat template without asking the engine', async () => {
  let prompt: EnginePrompt = '';
  await attempt((request, sink) => {
    prompt = request.prompt;
    return speak([])(request, sink, new AbortController().signal);
  });
  expect(prompt).toBe('<hi>');
});

test('OC-CTRL-2027 each token is logged with its probabilities, where the engine gave any', async () => {
  const logprob = { token: 'a', logprob: -0.5, top: [] };
  const { task } = await attempt(async (_request, sink) => {
    await sink.tokens(['a', 'b'], [[logprob], []]);
    return RESULT;
  });
  expect(task.log.text()).toBe('ab');
  expect(task.log.entry(0)).toEqual({ token: 'a', logprobs: [logprob] });
  expect(task.log.entry(1)).toBe('b');
});

describe('a re-run', () => {
  const before: LogEntry[] = [{ event: 'started', data: '{}' }, 'a', 'b'];

  test('OC-CTRL-2025 continues where readers are, without a second started', async () => {
    const { task } = await attempt(speak(['ab', 'c']), liveTask({}, before));
    expect(task.log.text()).toBe('abc');
    expect(task.log.length).toBe(4);
  });

  test('OC-CTRL-2025 that gives other text fails for good', async () => {
    const { commands } = await attempt(speak(['ax']), liveTask({}, before));
    expect(commands.at(-1)).toMatchObject({
      type: 'fail',
      fault: { code: 'WORKER_RESET', retriable: false },
      tokensSent: 2,
    });
  });

  test('OC-CTRL-2025 that ends before what was shown fails for good', async () => {
    const { commands } = await attempt(speak(['a']), liveTask({}, before));
    expect(commands.at(-1)).toMatchObject({ type: 'fail', fault: { retriable: false } });
  });
});

test.each([
  ['broken', 'WORKER_RESET', true, 'connection'],
  ['garbage', 'WORKER_RESET', true, 'garbage'],
  ['timeout', 'DECODE_TIMEOUT', true, 'hung'],
  ['busy', 'REPLICA_EXHAUSTED', true, undefined],
  ['permanent', 'INVALID_PARAMS', false, undefined],
] as const)('a %s engine becomes %s', async (fault, code, retriable, suspicion) => {
  const { commands, end } = await attempt(() =>
    Promise.reject(new EngineError(fault, 'llamacpp', 'it failed')),
  );
  expect(commands.at(-1)).toMatchObject({ type: 'fail', fault: { code, retriable } });
  expect(end.suspicion).toBe(suspicion);
});

test('ORCH-3026 an aborted attempt adds nothing and tells nothing', async () => {
  const abort = new AbortController();
  const { task, commands, ports } = await attempt(
    async (_request, sink) => {
      await sink.tokens(['a']);
      abort.abort();
      await sink.tokens(['b']);
      throw new Error('closed');
    },
    liveTask(),
    abort,
  );
  expect(task.log.text()).toBe('a');
  expect(commands.filter((command) => command.type !== 'progress')).toEqual([]);
  expect(ports.onTokens).toHaveBeenCalledTimes(1);
});

test('OC-CTRL-2026 the engine is held back while too much is only in memory', async () => {
  const many = Array.from({ length: MAX_UNPERSISTED }, () => 'x');
  let held: void | Promise<void> = undefined;
  await attempt(async (_request, sink) => {
    held = sink.tokens(many);
    await held;
    return RESULT;
  });
  expect(held).toBeInstanceOf(Promise);
});

describe('OC-CTRL-2090 what is answered whole', () => {
  const embedding = () =>
    liveTask({ workload: 'embedding', prompt: undefined, inputs: ['a', 'b'] });

  test('starts when the engine is asked, and ends with the result and no token', async () => {
    const asked: unknown[] = [];
    const task = embedding();
    const embed: WorkerAdapter['embed'] = async ({ inputs, taskId }) => {
      asked.push(inputs, taskId);
      await Promise.resolve();
      expect(task.log.entry(0)).toMatchObject({ event: 'started' });
      return { embeddings: [[1], [2]], tokensIn: 5 };
    };
    const { commands, ports } = await attempt({ embed }, task);
    expect(asked).toEqual([['a', 'b'], task.taskId]);
    expect(task.wholeResult).toEqual({ embeddings: [[1], [2]] });
    expect(commands).toMatchObject([
      { type: 'finish', finishReason: 'stop', usage: { tokensIn: 5, tokensOut: 0 } },
    ]);
    expect(ports.onStarted).toHaveBeenCalledTimes(1);
    expect(ports.onFirstToken).not.toHaveBeenCalled();
  });

  test('is cut to top_n where the engine does not', async () => {
    const task = liveTask({ workload: 'rerank', query: 'q', documents: ['a', 'b'], top_n: 1 });
    const results = [
      { index: 1, score: 0.9 },
      { index: 0, score: 0.1 },
    ];
    await attempt({ rerank: () => Promise.resolve({ results, tokensIn: 1 }) }, task);
    expect(task.wholeResult).toEqual({ ranking: [{ index: 1, score: 0.9 }] });
  });

  test('fails like any other attempt', async () => {
    const embed = () => Promise.reject(new EngineError('broken', 'llamacpp', 'it failed'));
    const { commands, end, task } = await attempt({ embed }, embedding());
    expect(commands).toMatchObject([{ type: 'fail', fault: { retriable: true }, tokensSent: 0 }]);
    expect(end.suspicion).toBe('connection');
    expect(task.wholeResult).toBeUndefined();
  });

  test('ORCH-3026 tells nothing once it was aborted', async () => {
    const abort = new AbortController();
    const embed = () => {
      abort.abort();
      return Promise.resolve({ embeddings: [[1]], tokensIn: 1 });
    };
    const { commands, task } = await attempt({ embed }, embedding(), abort);
    expect(commands).toEqual([]);
    expect(task.wholeResult).toBeUndefined();
  });
});

test('OC-CTRL-2089 the engine is told what was given to the task, not what it asked for', async () => {
  const given: boolean[] = [];
  const run: Run = async (request, sink) => {
    given.push(request.deterministic);
    return speak(['a'])(request, sink, new AbortController().signal);
  };
  await attempt(run, liveTask());
  const loose = liveTask();
  await attempt(run, new LiveTask({ ...loose.record, determinism: 'best_effort' }));
  expect(given).toEqual([true, false]);
});

test('OC-CTRL-2031 a failure we did not foresee says nothing of its cause', async () => {
  const { commands } = await attempt(() => Promise.reject(new Error('secret')));
  const last = commands.at(-1);
  expect(last).toMatchObject({ type: 'fail', fault: { code: 'INTERNAL', retriable: false } });
  expect(JSON.stringify(last)).not.toContain('secret');
});
