import { field, numberField, parseJson, stringField } from '../api/json-fields.ts';
import { parseOpenAiError } from '../api/openai-errors.ts';
import { createOpenAiReader } from '../api/openai-stream.ts';
import { EngineError } from '../api/types.ts';
import type { EngineResult } from '../api/types.ts';
import { toEngineError } from './errors.ts';

/**
 * Reads one event of `POST /generate_stream`, which is one token: appends its text to `pieces` and returns
 * the result when it is the last one, the one with a `generated_text`. Control tokens (`special`) and
 * tokens inside a code point (their text is '') append nothing.
 * @throws EngineError for an error object, and `garbage` for anything else
 */
export function readTokenEvent(data: string, pieces: string[]): EngineResult | undefined {
  const event = parseJson(data);
  const error = parseOpenAiError(event);
  if (error !== undefined) throw toEngineError(error);
  const token = field(event, 'token');
  const text = stringField(token, 'text');
  if (text === undefined) throw garbage('a stream event is not a token');
  if (text !== '' && field(token, 'special') !== true) pieces.push(text);
  if (stringField(event, 'generated_text') === undefined) return undefined;
  return toResult(field(event, 'details'));
}

/** A reader for one stream of `POST /v1/chat/completions`. */
export function createChatReader() {
  return createOpenAiReader({ engine: 'tgi', logprobs: 0, toFailure: toEngineError });
}

/** Whether an event, of either route, says that the generation is over. */
export function endsGeneration(data: string): boolean {
  const event = parseJson(data);
  if (stringField(event, 'generated_text') !== undefined) return true;
  const choices = field(event, 'choices');
  const [choice] = Array.isArray(choices) ? (choices as readonly unknown[]) : [];
  return (stringField(choice, 'finish_reason') ?? '') !== '';
}

/** The end token is one of those generated. A stream says nothing of cached tokens and of time. */
function toResult(details: unknown): EngineResult {
  return {
    finishReason: finishReasonOf(stringField(details, 'finish_reason')),
    tokensIn: numberField(details, 'input_length') ?? 0,
    tokensOut: numberField(details, 'generated_tokens') ?? 0,
    cachedTokens: 0,
    decodeMs: undefined,
    slotId: undefined,
  };
}

function finishReasonOf(reason: string | undefined): EngineResult['finishReason'] {
  if (reason === 'eos_token' || reason === 'stop_sequence') return 'stop';
  if (reason === 'length') return 'length';
  throw garbage('the last event names no known finish_reason');
}

function garbage(message: string): EngineError {
  return new EngineError('garbage', 'tgi', message);
}
