import { toWellFormedMessages } from '../api/openai-request.ts';
import { EngineError } from '../api/types.ts';
import type { ChatMessage, EngineRequest, Sampling } from '../api/types.ts';

/** What a TGI was started with; see `readInfo`. */
export interface RequestLimits {
  /** Stop strings it takes; the adapter watches for all of them itself. */
  readonly stopStrings: number;
}

/**
 * The body of `POST /generate_stream` (huggingface/text-generation-inference, docs/openapi.json and
 * router/src/validation.rs).
 *
 * OC-ADAPT-5010: every field that shapes the output is sent, except where the value that switches it off
 * is one TGI refuses or takes as a wish to sample: `temperature` 0, `top_p` 1, `top_k` 0, `typical_p` 1.
 * Left out they are off, whatever the engine was started with. TGI has no `min_p`.
 * @throws EngineError `permanent` for a GBNF grammar, which TGI cannot follow
 */
export function toGenerateBody(
  request: EngineRequest,
  prompt: string,
  limits: RequestLimits,
): string {
  const { sampling } = request;
  return JSON.stringify({
    inputs: prompt.toWellFormed(),
    parameters: {
      max_new_tokens: request.maxTokens,
      seed: request.seed,
      stop: stopOf(sampling, limits),
      grammar: grammarOf(sampling),
      ...samplersOf(sampling),
      repetition_penalty: 1,
      frequency_penalty: 0,
      watermark: false,
      return_full_text: false,
      details: true,
      decoder_input_details: false,
    },
  });
}

/**
 * The body of `POST /v1/chat/completions`. `model` is taken for the name of a LoRA adapter unless it is
 * `tgi`. There is no `top_k`, and `presence_penalty` must not be sent: its 0 is a repetition penalty of 2.
 * @param maxTokens always sent: left out, some versions stop at 100
 * @throws EngineError `permanent` for a GBNF grammar
 */
export function toChatBody(
  request: EngineRequest,
  messages: readonly ChatMessage[],
  maxTokens: number,
  limits: RequestLimits,
): string {
  const { sampling } = request;
  return JSON.stringify({
    model: 'tgi',
    messages: toWellFormedMessages(messages),
    max_tokens: maxTokens,
    seed: request.seed,
    stop: stopOf(sampling, limits),
    response_format: grammarOf(sampling),
    temperature: isGreedy(sampling) ? 0 : sampling.temperature,
    top_p: topPOf(sampling),
    frequency_penalty: 0,
    logprobs: false,
    stream: true,
    stream_options: { include_usage: true },
  });
}

/** Any sampler named makes TGI sample, even beside `do_sample: false`. */
function samplersOf(sampling: Sampling): object {
  if (isGreedy(sampling)) return { do_sample: false };
  return {
    do_sample: true,
    temperature: sampling.temperature,
    top_k: sampling.topK > 0 ? sampling.topK : undefined,
    top_p: topPOf(sampling),
  };
}

/** Samplers that leave the likeliest token alone, as TGI reads them: in single precision. */
function isGreedy({ temperature, topK, topP }: Sampling): boolean {
  return Math.fround(temperature) === 0 || topK === 1 || Math.fround(topP) === 0;
}

function topPOf(sampling: Sampling): number | undefined {
  return !isGreedy(sampling) && Math.fround(sampling.topP) < 1 ? sampling.topP : undefined;
}

/** The first ones: with them the engine ends by itself most of the time. */
function stopOf({ stop }: Sampling, { stopStrings }: RequestLimits): string[] {
  return stop.slice(0, stopStrings).map((text) => text.toWellFormed());
}

function grammarOf({ grammar, jsonSchema }: Sampling): object | undefined {
  if (grammar !== undefined) {
    throw new EngineError('permanent', 'tgi', 'TGI cannot follow a GBNF grammar');
  }
  return jsonSchema === undefined ? undefined : { type: 'json', value: jsonSchema };
}
