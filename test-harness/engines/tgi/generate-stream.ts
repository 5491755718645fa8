import type { Generation } from '../kit/generation.ts';
import { SSE_HEADERS } from '../kit/token-stream.ts';
import type { Framing } from '../kit/token-stream.ts';
import type { SimToken } from '../kit/vocabulary.ts';
import type { TgiRequest } from './parse-request.ts';
import { InferError } from './refusals.ts';

export const TGI_HEADERS = { ...SSE_HEADERS, 'x-accel-buffering': 'no' };

/** The end of a text is a token of its own, with a text that is no part of it. */
export const END_TOKEN: SimToken = { id: 2, text: '</s>', json: '</s>' };

export type FinishReason = 'length' | 'eos_token' | 'stop_sequence';

/** The length is looked at first: a stop string or an end as the last token allowed is a `length`. */
export function finishReasonOf({ count, stopType }: Generation, request: TgiRequest): FinishReason {
  if (count === request.maxTokens || stopType === 'limit') return 'length';
  return stopType === 'eos' ? 'eos_token' : 'stop_sequence';
}

/** `POST /generate_stream`: one event for each token, the last with all of the text; no end mark. */
export function generateFraming(request: TgiRequest, generation: Generation): Framing {
  const finishReason = finishReasonOf(generation, request);
  let text = '';

  const event = (token: SimToken, index: number): string => {
    const isLast = index === generation.count;
    const isEnd = isLast && finishReason === 'eos_token';
    if (!isEnd) text += token.text;
    const { id, json } = isEnd ? END_TOKEN : token;
    const end = isLast ? lastFields(index) : '"generated_text":null,"details":null';
    return `data: {"index":${index},"token":{"id":${id},"text":"${json}","logprob":-0.5,"special":${isEnd}},${end}}\n\n`;
  };
  const lastFields = (generated: number): string => {
    const details = {
      finish_reason: finishReason,
      generated_tokens: generated,
      seed: request.greedy ? null : request.seed,
      input_length: generation.promptTokens,
    };
    return `"generated_text":${JSON.stringify(text)},"details":${JSON.stringify(details)}`;
  };

  return {
    headers: TGI_HEADERS,
    keepAlive: ':\n\n',
    begin: () => '',
    tokens: (tokens, sent) =>
      tokens.map((token, at) => event(token, sent - tokens.length + at + 1)).join(''),
    end: () => '',
    error: (message) => new InferError(message).nativeEvent(),
    garbage: 'data: {"index":1,"token":{"id":7,"text":"\n\n',
    half: 'data: {"index":1,"tok',
  };
}
