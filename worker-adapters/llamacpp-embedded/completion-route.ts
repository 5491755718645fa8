import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { invalid, type Body } from './body-fields.ts';
import { parseCompletion, type CompletionParams } from './completion-request.ts';
import { finalObject, generationSettings, sse, tokenSse } from './completion-wire.ts';
import type { EngineContext } from './engine-context.ts';
import { generate, type GenerationEnd, type TokenEvent } from './generation.ts';
import { HttpFault } from './http-fault.ts';
import { sendJson } from './http-io.ts';
import { RANDOM_SEED } from './sampling.ts';
import type { Slot } from './slots.ts';
import type { Constraint } from './token-model.ts';
import type { ProbReport } from './token-probs.ts';

/** Silence after which a stream carries a comment, so that idle connections are not cut. */
const KEEP_ALIVE_MS = 30_000;

/**
 * `POST /completion`: waits for a slot, generates, answers. Status and headers go out when the slot
 * starts, so a refusal before that is a plain HTTP error even for a stream.
 * @param signal aborts when the client is gone or the process stops.
 */
export async function completion(
  engine: EngineContext,
  body: Body,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { model, board, metrics } = engine;
  const params = parseCompletion(body, model, () => randomInt(RANDOM_SEED));
  const constraint = await compile(engine, params);
  const settings = generationSettings(params);
  const slot = await board.acquire(params.prompt, params.pinnedSlot, signal);
  const task = engine.newTask(settings, params);
  slot.task = task;
  let answer: Answer;
  let end: GenerationEnd;
  try {
    answer = params.stream
      ? createStreamAnswer(response, params, signal)
      : createWholeAnswer(params);
    end = await run(engine, slot, params, constraint, signal, answer);
  } finally {
    task.running = false;
    board.release(slot);
  }
  metrics.finished(params.prompt.length, end);
  const last = finalObject({
    alias: engine.options.alias,
    slotId: slot.id,
    params,
    settings,
    end,
    content: answer.content.join(''),
    tokens: answer.tokens,
    probs: answer.probs,
    promptText: model.render(params.prompt),
  });
  if (params.stream) response.end(sse(last));
  else sendJson(response, 200, last);
}

async function compile(
  { model }: EngineContext,
  { constraint }: CompletionParams,
): Promise<Constraint | undefined> {
  if (constraint === undefined) return undefined;
  try {
    return await model.compileConstraint(constraint);
  } catch (error) {
    if (error instanceof HttpFault) throw error;
    throw invalid(`Failed to parse ${constraint.kind === 'schema' ? 'json_schema' : 'grammar'}`);
  }
}

async function run(
  { model, board, metrics, options }: EngineContext,
  slot: Slot,
  params: CompletionParams,
  constraint: Constraint | undefined,
  signal: AbortSignal,
  answer: Answer,
): Promise<GenerationEnd> {
  if (params.prompt.length === 0) return NOTHING_TO_DO;
  return await generate({
    model,
    slot,
    params,
    constraint,
    prefillChunk: options.prefillChunk,
    signal,
    elapsed: () => performance.now(),
    onDecode: () => metrics.decoded(board.busyCount),
    onToken: (event) => answer.onToken(event),
  });
}

/** llama-server answers an empty prompt at once and without a token. */
const NOTHING_TO_DO: GenerationEnd = {
  stopType: 'none',
  stoppingWord: '',
  truncated: false,
  cachedTokens: 0,
  predicted: 0,
  heldTokens: 0,
  hasNewLine: false,
  promptMs: 0,
  predictedMs: 0,
};

interface Answer {
  /** What the last object has yet to carry. */
  readonly content: string[];
  readonly tokens: number[];
  readonly probs: ProbReport[];
  onToken(event: TokenEvent): void | Promise<void>;
}

function createStreamAnswer(
  response: ServerResponse,
  params: CompletionParams,
  signal: AbortSignal,
): Answer {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  const keepAlive = setInterval(() => {
    if (!response.writableEnded && !response.writableNeedDrain) response.write(':\n\n');
  }, KEEP_ALIVE_MS);
  response.once('close', () => clearInterval(keepAlive));
  return {
    content: [],
    tokens: [],
    probs: [],
    onToken(event) {
      keepAlive.refresh();
      if (response.write(tokenSse(event, params.prompt.length))) return;
      // The reader is behind: sampling waits for it, and its slot with it.
      return once(response, 'drain', { signal }).then(() => undefined);
    },
  };
}

function createWholeAnswer(params: CompletionParams): Answer {
  const content: string[] = [];
  const tokens: number[] = [];
  const probs: ProbReport[] = [];
  return {
    content,
    tokens,
    probs,
    onToken(event) {
      content.push(event.text);
      if (params.returnTokens) tokens.push(...event.tokens);
      probs.push(...event.probs);
    },
  };
}
