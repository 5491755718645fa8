/**
 * One attempt to run a task on one replica: from the core's `dispatch` to `finish` or `fail`. Tokens go
 * from the engine straight into the task's log; the core only hears that there is progress.
 */
import { OrchError } from '@llama-orch/contracts';
import type { AttemptFault, Command, PromptPrefix, Usage } from '@llama-orch/orchestrator-core';
import type { ReplicaHandle, ReplicaSuspicion } from '@llama-orch/pool-managerd';
import {
  ENGINE_FAULTS,
  EngineError,
  foldSeed,
  type EngineResult,
  type TokenLogprob,
  type TokenSink,
} from '@llama-orch/worker-adapters';
import type { Clock } from '../clock.ts';
import { isStrict, seedNumber, type LiveTask } from './live-task.ts';
import { renderPrompt, toSampling } from './render-prompt.ts';
import { ReplayCheck, ReplayDivergedError } from './replay-check.ts';
import type { TokenEntry } from './task-log.ts';
import type { TranscriptWriter } from './transcript-writer.ts';
import { askWhole, isAnsweredWhole, type WholeAnswer } from './whole-answers.ts';

/**
 * A broken connection and the end of the process behind it are told in any order. The core moves the task
 * at the latter, and knows then whether the engine crashed; the former waits this long for it, ms.
 */
const CRASH_NEWS_MS = 100;

/** The core's idle watchdog needs to hear of progress only this often, ms. */
const PROGRESS_EVERY_MS = 50;

export interface AttemptPorts {
  readonly clock: Clock;
  readonly transcripts: TranscriptWriter;
  /** Tells the core. */
  readonly command: (command: Command) => void;
  /** Tokens that are new to the task's readers; for the counters. */
  readonly onTokens: (task: LiveTask, count: number) => void;
  /** The engine took the task into a slot. */
  readonly onStarted: (task: LiveTask) => void;
  /** The first token was appended. */
  readonly onFirstToken: (task: LiveTask) => void;
  /** Prompt and output of a task that is done, as the start of a next prompt. */
  readonly prefixAfter: (task: LiveTask) => PromptPrefix | undefined;
  /** The engine is done; tells which slot holds the KV, and how a next turn begins. */
  readonly onResult: (
    task: LiveTask,
    replicaId: string,
    result: EngineResult,
    prefix: PromptPrefix | undefined,
  ) => void;
}

export interface AttemptEnd {
  /** What the failure says about the replica, if anything. */
  readonly suspicion?: ReplicaSuspicion;
  readonly detail?: string;
}

/**
 * Runs to the end and tells the core how it went; never throws. When `signal` is aborted the core has
 * already moved on, and nothing is told.
 */
export async function runAttempt(
  task: LiveTask,
  attempt: number,
  replica: ReplicaHandle,
  signal: AbortSignal,
  ports: AttemptPorts,
): Promise<AttemptEnd> {
  const sink = new LogSink(task, attempt, signal, ports);
  const finish = (
    finishReason: EngineResult['finishReason'],
    usage: Usage,
    prefix?: PromptPrefix,
  ): void => {
    const { taskId } = task;
    ports.command({ type: 'finish', taskId, attempt, finishReason, usage, prefix });
  };
  try {
    if (isAnsweredWhole(task.record.request)) {
      const { result, tokensIn } = await compute(task, replica, sink, signal);
      if (signal.aborted) return {};
      task.wholeResult = result;
      finish('stop', { tokensIn, tokensOut: 0, cachedTokens: 0, decodeMs: 0 });
    } else {
      const result = await generate(task, replica, sink, signal);
      if (signal.aborted) return {};
      sink.finish();
      const prefix = ports.prefixAfter(task);
      ports.onResult(task, replica.snapshot.replicaId, result, prefix);
      finish(result.finishReason, toUsage(task, result), prefix);
    }
    return {};
  } catch (error) {
    if (isBroken(error) && replica.snapshot.pid !== undefined) {
      await pause(CRASH_NEWS_MS, signal, ports.clock);
    }
    if (signal.aborted) return {};
    ports.command({
      type: 'fail',
      taskId: task.taskId,
      attempt,
      fault: toFault(error),
      tokensSent: task.log.tokens,
    });
    return toSuspicion(error);
  }
}

/** @throws EngineError; the signal's reason; OrchError when the model cannot chat */
async function generate(
  task: LiveTask,
  replica: ReplicaHandle,
  sink: TokenSink,
  signal: AbortSignal,
): Promise<EngineResult> {
  const { request, promptFormat, correlationId } = task.record;
  const rendered = renderPrompt(request, promptFormat, replica, signal);
  // Most prompts need no round trip, and then the engine is asked within this very turn.
  const prompt = rendered instanceof Promise ? await rendered : rendered;
  return replica.adapter.submit(
    {
      taskId: task.taskId,
      correlationId,
      prompt,
      maxTokens: request.max_tokens,
      seed: foldSeed(task.seed),
      sampling: toSampling(request),
      deterministic: isStrict(task.record),
      reuseKv: request.kv_hint !== 'cold',
    },
    sink,
    signal,
  );
}

/** @throws EngineError; the signal's reason */
async function compute(
  task: LiveTask,
  replica: ReplicaHandle,
  sink: TokenSink,
  signal: AbortSignal,
): Promise<WholeAnswer> {
  const { taskId, correlationId, request } = task.record;
  const answer = askWhole(replica.adapter, { taskId, correlationId }, request, signal);
  // Until its answer is there, the engine gives no sign that it has begun.
  sink.started();
  return answer;
}

function isBroken(error: unknown): boolean {
  return error instanceof EngineError && error.fault === 'broken';
}

/** Resolves after `ms`, or when the signal is aborted. */
function pause(ms: number, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.setTimer(ms, end);
    signal.addEventListener('abort', end);
  });
}

class LogSink implements TokenSink {
  readonly #task: LiveTask;
  readonly #attempt: number;
  readonly #signal: AbortSignal;
  readonly #ports: AttemptPorts;
  readonly #replay: ReplayCheck;
  #tokens = 0;
  #toldAtMs = -Infinity;

  constructor(task: LiveTask, attempt: number, signal: AbortSignal, ports: AttemptPorts) {
    this.#task = task;
    this.#attempt = attempt;
    this.#signal = signal;
    this.#ports = ports;
    this.#replay = new ReplayCheck(task.log.tokens === 0 ? '' : task.log.text());
  }

  started(): void {
    const task = this.#task;
    if (this.#signal.aborted) return;
    this.#ports.onStarted(task);
    // Once per task: a re-run continues the stream its readers already follow.
    if (task.log.length > 0) return;
    task.log.append({ event: 'started', data: JSON.stringify(this.#startedEvent()) });
    this.#ports.transcripts.touch(task.taskId, task.log, 1);
  }

  tokens(
    pieces: readonly string[],
    logprobs?: readonly (readonly TokenLogprob[])[],
  ): void | Promise<void> {
    const task = this.#task;
    if (this.#signal.aborted) return;
    this.#tokens += pieces.length;
    const now = this.#ports.clock.now();
    const fresh = this.#replay.accept(toEntries(pieces, logprobs));
    if (fresh.length > 0) {
      if (task.log.tokens === 0) task.note({ kind: 'first-token', atMs: now });
      task.log.appendTokens(fresh);
      task.lastTokenAtMs = now;
      if (task.firstTokenAtMs === undefined) {
        task.firstTokenAtMs = now;
        this.#ports.onFirstToken(task);
      }
      this.#ports.onTokens(task, fresh.length);
      this.#ports.transcripts.touch(task.taskId, task.log, fresh.length);
    }
    if (now - this.#toldAtMs >= PROGRESS_EVERY_MS) {
      this.#toldAtMs = now;
      this.#ports.command({
        type: 'progress',
        taskId: task.taskId,
        attempt: this.#attempt,
        tokensOut: this.#tokens,
      });
    }
    return task.log.saturated ? task.log.desaturated() : undefined;
  }

  /** @throws ReplayDivergedError */
  finish(): void {
    this.#replay.finish();
  }

  #startedEvent(): object {
    const { admission, replica, record, kvWarmth } = this.#task;
    return {
      queue_position: admission.queuePosition,
      predicted_start_ms: Math.round(admission.predictedStartMs),
      ...(replica === undefined
        ? {}
        : {
            replica_id: replica.replicaId,
            engine_version: replica.engineVersion,
            model_digest: replica.modelDigest,
          }),
      seed: seedNumber(record.seed),
      kv_warmth: kvWarmth,
    };
  }
}

/** A piece the engine reported no probabilities for is a token without them. */
function toEntries(
  pieces: readonly string[],
  logprobs: readonly (readonly TokenLogprob[])[] | undefined,
): readonly TokenEntry[] {
  if (logprobs === undefined) return pieces;
  return pieces.map((token, at) => {
    const own = logprobs[at] ?? [];
    return own.length === 0 ? token : { token, logprobs: own };
  });
}

/**
 * `tokensOut` is what readers were sent: the engine's own count also holds the end token, and counts
 * a character that took several tokens more than once.
 */
function toUsage(task: LiveTask, result: EngineResult): Usage {
  return {
    tokensIn: result.tokensIn,
    tokensOut: task.log.tokens,
    cachedTokens: result.cachedTokens,
    decodeMs: result.decodeMs ?? task.decodeMs,
  };
}

/** Any failure of an attempt as the core takes it. */
export function toFault(error: unknown): AttemptFault {
  if (error instanceof EngineError) {
    const { kind, retriable } = ENGINE_FAULTS[error.fault];
    const { message, retryAfterMs } = error;
    return { code: kind, message, retriable, retryAfterMs };
  }
  if (error instanceof ReplayDivergedError) {
    return { code: 'WORKER_RESET', message: error.message, retriable: false };
  }
  if (error instanceof OrchError) {
    return { code: error.kind, message: error.message, retriable: error.retriable };
  }
  return { code: 'INTERNAL', message: 'the attempt failed unexpectedly', retriable: false };
}

function toSuspicion(error: unknown): AttemptEnd {
  if (!(error instanceof EngineError)) return {};
  switch (error.fault) {
    case 'broken':
      return { suspicion: 'connection', detail: error.message };
    case 'garbage':
      return { suspicion: 'garbage', detail: error.message };
    case 'timeout':
      return { suspicion: 'hung', detail: error.message };
    case 'busy':
    case 'not-ready':
    case 'permanent':
      return {};
  }
}
