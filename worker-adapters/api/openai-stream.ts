import { field, numberField, parseJson, stringField } from './json-fields.ts';
import { parseOpenAiError } from './openai-errors.ts';
import type { OpenAiError } from './openai-errors.ts';
import { readOpenAiLogprobs } from './openai-logprobs.ts';
import { EngineError } from './types.ts';
import type { EngineName, EngineResult, TokenLogprob } from './types.ts';

export interface OpenAiStreamOptions {
  readonly engine: EngineName;
  /** Alternatives per token the request asked for; 0: it asked for no probabilities. */
  readonly logprobs: number;
  /** Names the failure that an error object in the stream stands for. */
  readonly toFailure: (error: OpenAiError) => EngineError;
  /** Called at each chunk of reasoning: the model works, though it gives no text yet. */
  readonly onReasoning?: (() => void) | undefined;
}

const DONE = '[DONE]';

/**
 * A reader for one stream of `/v1/completions` or `/v1/chat/completions`: chunks with text in `text` or
 * `delta.content`, one of them with a `finish_reason`, `usage` on any chunk, then `[DONE]`. Text that the
 * server keeps apart as reasoning is no part of the answer, but was generated as well.
 *
 * Probabilities of a token whose text is held back (it may begin a stop string) come in a chunk without
 * text and belong to the piece that follows.
 */
export function createOpenAiReader(options: OpenAiStreamOptions) {
  const { engine, logprobs: top, toFailure, onReasoning } = options;
  let finishReason: EngineResult['finishReason'] | undefined;
  let usage: unknown;
  let chunks = 0;
  let withheld: TokenLogprob[] = [];

  /** @throws EngineError for an error object, and `garbage` or `broken` for a stream that makes no sense */
  return (
    data: string,
    pieces: string[],
    logprobs: (readonly TokenLogprob[])[],
  ): EngineResult | undefined => {
    if (data === DONE) {
      if (finishReason === undefined) {
        throw new EngineError('broken', engine, 'the stream ended before the generation did');
      }
      return toResult(finishReason, usage, chunks);
    }
    const chunk = parseJson(data);
    const error = parseOpenAiError(chunk);
    if (error !== undefined) throw toFailure(error);
    const choices = field(chunk, 'choices');
    if (!Array.isArray(choices)) {
      throw new EngineError('garbage', engine, 'a stream event is not a completion chunk');
    }
    usage = field(chunk, 'usage') ?? usage;
    const choice: unknown = choices[0];
    if (choice === undefined) return undefined;
    const delta = field(choice, 'delta');
    const text = stringField(choice, 'text') ?? stringField(delta, 'content') ?? '';
    if (isReasoning(delta)) {
      chunks += 1;
      onReasoning?.();
    } else if (top > 0) {
      withheld.push(...readOpenAiLogprobs(field(choice, 'logprobs'), top));
    }
    if (text !== '') {
      chunks += 1;
      pieces.push(text);
      if (top > 0) {
        logprobs.push(withheld);
        withheld = [];
      }
    }
    // TGI writes '' where others write null.
    const reason = stringField(choice, 'finish_reason') ?? '';
    if (reason !== '') finishReason = toFinishReason(engine, reason);
    return undefined;
  };
}

function isReasoning(delta: unknown): boolean {
  const reasoning = stringField(delta, 'reasoning') ?? stringField(delta, 'reasoning_content');
  return reasoning !== undefined && reasoning !== '';
}

/** Without usage the chunks are counted: each holds at least one token. */
function toResult(
  finishReason: EngineResult['finishReason'],
  usage: unknown,
  chunks: number,
): EngineResult {
  const details = field(usage, 'prompt_tokens_details');
  return {
    finishReason,
    tokensIn: numberField(usage, 'prompt_tokens') ?? 0,
    tokensOut: numberField(usage, 'completion_tokens') ?? chunks,
    cachedTokens: numberField(details, 'cached_tokens') ?? 0,
    decodeMs: undefined,
    slotId: undefined,
  };
}

/**
 * `stop`, `length` and what other servers call them. A model that calls a tool nobody offered has ended
 * its turn.
 */
function toFinishReason(engine: EngineName, reason: string): EngineResult['finishReason'] {
  switch (reason) {
    case 'stop':
    case 'eos':
    case 'eos_token':
    case 'stop_sequence':
    case 'tool_calls':
      return 'stop';
    case 'length':
      return 'length';
    case 'content_filter':
      throw new EngineError('permanent', engine, 'the engine withheld the text: content_filter');
    case 'abort':
    case 'cancelled':
    case 'error':
      throw new EngineError('broken', engine, `the engine gave the generation up: ${reason}`);
    default:
      throw new EngineError('garbage', engine, 'the generation ended for no known reason');
  }
}
