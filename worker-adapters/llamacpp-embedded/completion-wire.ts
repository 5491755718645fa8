/** The objects of llama-server's native `/completion` answers (`tools/server/server-task.cpp`). */
import type { CompletionParams } from './completion-request.ts';
import type { GenerationEnd, TokenEvent } from './generation.ts';
import { probabilityObjects, type ProbReport } from './token-probs.ts';

/**
 * One event of a stream. Written by hand: it is on the path of every token. As in llama-server, the
 * slot is told only by the last object.
 */
export function tokenSse(event: TokenEvent, promptTokens: number): string {
  const { text, tokens, predicted, probs } = event;
  const probabilities =
    probs.length === 0
      ? ''
      : `,"completion_probabilities":${JSON.stringify(probabilityObjects(probs))}`;
  return (
    `data: {"index":0,"content":${JSON.stringify(text)},"tokens":[${tokens.join(',')}],` +
    `"stop":false,"id_slot":-1,"tokens_predicted":${predicted},` +
    `"tokens_evaluated":${promptTokens}${probabilities}}\n\n`
  );
}

export function sse(object: object): string {
  return `data: ${JSON.stringify(object)}\n\n`;
}

export interface FinalParts {
  readonly alias: string;
  readonly slotId: number;
  readonly params: CompletionParams;
  readonly settings: object;
  readonly end: GenerationEnd;
  /** Empty in a stream, which has sent them. */
  readonly content: string;
  readonly tokens: readonly number[];
  readonly probs: readonly ProbReport[];
  readonly promptText: string;
}

export function finalObject({ params, end, ...parts }: FinalParts): object {
  return {
    index: 0,
    content: parts.content,
    tokens: parts.tokens,
    ...(parts.probs.length > 0
      ? { completion_probabilities: probabilityObjects(parts.probs) }
      : {}),
    id_slot: parts.slotId,
    stop: true,
    model: parts.alias,
    tokens_predicted: end.predicted,
    tokens_evaluated: params.prompt.length,
    generation_settings: parts.settings,
    prompt: parts.promptText,
    has_new_line: end.hasNewLine,
    truncated: end.truncated,
    stop_type: end.stopType,
    stopping_word: end.stoppingWord,
    tokens_cached: end.heldTokens,
    timings: timings(params.prompt.length, end),
  };
}

function timings(promptTokens: number, end: GenerationEnd): object {
  const evaluated = promptTokens - end.cachedTokens;
  return {
    cache_n: end.cachedTokens,
    prompt_n: evaluated,
    prompt_ms: end.promptMs,
    prompt_per_token_ms: ratio(end.promptMs, evaluated),
    prompt_per_second: ratio(1000 * evaluated, end.promptMs),
    predicted_n: end.predicted,
    predicted_ms: end.predictedMs,
    predicted_per_token_ms: ratio(end.predictedMs, end.predicted),
    predicted_per_second: ratio(1000 * end.predicted, end.predictedMs),
  };
}

function ratio(over: number, under: number): number {
  return under > 0 ? over / under : 0;
}

/** The parameters as they took effect, in llama-server's names. The seed is the one really used. */
export function generationSettings(params: CompletionParams): Readonly<Record<string, unknown>> {
  const { sampling, constraint } = params;
  return {
    seed: sampling.seed,
    temperature: sampling.temperature,
    top_k: sampling.topK,
    top_p: sampling.topP,
    min_p: sampling.minP,
    repeat_last_n: sampling.repeatLastN,
    repeat_penalty: sampling.repeatPenalty,
    presence_penalty: sampling.presencePenalty,
    frequency_penalty: sampling.frequencyPenalty,
    n_predict: Number.isFinite(params.maxTokens) ? params.maxTokens : -1,
    stop: params.stop,
    ignore_eos: params.ignoreEos,
    stream: params.stream,
    n_probs: params.probs,
    grammar: constraint?.kind === 'grammar' ? constraint.gbnf : '',
    ...(constraint?.kind === 'schema' ? { json_schema: constraint.schema } : {}),
    samplers: ['penalties', 'top_k', 'top_p', 'min_p', 'temperature'],
  };
}
