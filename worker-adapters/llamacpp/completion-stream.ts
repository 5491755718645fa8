import { field, numberField, parseJson, stringField } from '../api/json-fields.ts';
import { readTokenLogprobs } from '../api/openai-logprobs.ts';
import { EngineError } from '../api/types.ts';
import type { EngineResult, TokenLogprob } from '../api/types.ts';
import { parseLlamaCppError, toEngineError } from './errors.ts';

/**
 * Reads one object of a native completion stream: appends its text to `pieces` and returns the
 * result when it is the last one (`"stop":true`). Objects without text (prompt progress, a pause
 * inside a UTF-8 sequence) append nothing.
 * @throws EngineError for an error object, and `garbage` for anything else
 */
export function readCompletionEvent(data: string, pieces: string[]): EngineResult | undefined {
  return readEvent(parseJson(data), pieces);
}

/**
 * The same for one stream whose request asked for probabilities: for each piece appended, appends those
 * of its tokens to `logprobs`. A token whose text is held back (it may begin a stop string) comes in an
 * object without text and belongs to the piece that follows.
 * @param top alternatives asked for
 */
export function createLogprobReader(top: number) {
  let withheld: TokenLogprob[] = [];
  return (
    data: string,
    pieces: string[],
    logprobs: (readonly TokenLogprob[])[],
  ): EngineResult | undefined => {
    const event = parseJson(data);
    const before = pieces.length;
    const result = readEvent(event, pieces);
    withheld.push(...readTokenLogprobs(field(event, 'completion_probabilities'), top));
    if (pieces.length > before) {
      logprobs.push(withheld);
      withheld = [];
    }
    return result;
  };
}

function readEvent(event: unknown, pieces: string[]): EngineResult | undefined {
  const error = parseLlamaCppError(event);
  if (error !== undefined) throw toEngineError(error);
  const content = stringField(event, 'content');
  const stop = field(event, 'stop');
  if (content === undefined || typeof stop !== 'boolean') {
    throw garbage('a stream event is not a completion object');
  }
  if (content !== '') pieces.push(content);
  return stop ? toResult(event) : undefined;
}

function toResult(event: unknown): EngineResult {
  const timings = field(event, 'timings');
  const slotId = numberField(event, 'id_slot');
  return {
    finishReason: finishReasonOf(stringField(event, 'stop_type')),
    tokensIn: numberField(event, 'tokens_evaluated') ?? 0,
    tokensOut: numberField(event, 'tokens_predicted') ?? 0,
    cachedTokens: numberField(timings, 'cache_n') ?? 0,
    decodeMs: numberField(timings, 'predicted_ms'),
    slotId: slotId === undefined || slotId < 0 ? undefined : slotId,
  };
}

/** A full context arrives as `limit` with `truncated:true`, and is a `length` as well. */
function finishReasonOf(stopType: string | undefined): EngineResult['finishReason'] {
  if (stopType === 'eos' || stopType === 'word') return 'stop';
  if (stopType === 'limit') return 'length';
  throw garbage('the last event names no known stop_type');
}

function garbage(message: string): EngineError {
  return new EngineError('garbage', 'llamacpp', message);
}
