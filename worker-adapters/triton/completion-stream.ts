import { field, numberField, parseJson, stringField } from '../api/json-fields.ts';
import { createStopFilter } from '../api/stop-filter.ts';
import { EngineError } from '../api/types.ts';
import type { EngineResult } from '../api/types.ts';
import { parseTritonError, streamFailure } from './errors.ts';
import type { TritonModel } from './model-config.ts';
import { createTextOutput } from './text-output.ts';

export interface StreamSettings {
  readonly model: TritonModel;
  readonly textOutput: 'delta' | 'cumulative' | undefined;
  /** The bound that the model was sent. */
  readonly maxTokens: number;
  readonly stop: readonly string[];
}

export interface GenerateReader {
  /**
   * Reads one response: appends what it adds to the text to `pieces`, and returns the result where that
   * ends before a stop string, although the model may go on.
   * @throws EngineError for an error object, and `garbage` for anything else
   */
  read(data: string, pieces: string[]): EngineResult | undefined;
  /**
   * The result when the stream has ended; undefined when the model had not ended then.
   * @throws EngineError when the model gave up
   */
  readEnd(pieces: string[]): EngineResult | undefined;
}

/**
 * Reads one stream of `generate_stream`. It has no terminal event: a model that tells its finish reason
 * must have told it, any other ends by the clean end of the answer.
 */
export function createGenerateReader(settings: StreamSettings): GenerateReader {
  const { model, maxTokens } = settings;
  const output = createTextOutput(settings.textOutput ?? model.textOutput);
  const filter = createStopFilter(settings.stop);
  const tellsFinish = model.inputs.has('return_finish_reason');
  let responses = 0;
  let tokensIn = 0;
  let counted: number | undefined;
  let withText = 0;
  let finish: string | undefined;

  const append = (text: string, pieces: string[]): boolean => {
    const safe = filter.push(text);
    if (safe.text !== '') pieces.push(safe.text);
    return safe.stop !== undefined;
  };
  const toResult = (finishReason: EngineResult['finishReason']): EngineResult => ({
    finishReason,
    tokensIn,
    tokensOut: counted ?? withText,
    cachedTokens: 0,
    decodeMs: undefined,
    slotId: undefined,
  });
  const isFull = (tokensOut: number) =>
    tokensOut >= maxTokens || (tokensIn > 0 && tokensIn + tokensOut >= (model.ctx ?? Infinity));

  return {
    read(data, pieces) {
      const response = parseJson(data);
      const error = parseTritonError(response);
      if (error !== undefined) throw streamFailure(error);
      const text = output.push(textOf(response));
      responses += 1;
      tokensIn = numberField(response, 'num_input_tokens') ?? tokensIn;
      const tokens = numberField(response, 'num_output_tokens');
      if (tokens !== undefined) counted = (counted ?? 0) + tokens;
      if (text !== '') withText += 1;
      finish = finishOf(response) ?? finish;
      return append(text, pieces) ? toResult('stop') : undefined;
    },
    readEnd(pieces) {
      if (responses === 0 || (tellsFinish && finish === undefined)) return undefined;
      const { more, withdrawn } = output.end();
      if (append(more, pieces)) return toResult('stop');
      const held = filter.flush();
      if (withdrawn > held.length) throw garbage('the last response takes back text');
      const rest = held.slice(0, held.length - withdrawn);
      if (rest !== '') pieces.push(rest);
      const result = toResult(finish === undefined ? 'stop' : toFinishReason(finish));
      return finish === undefined && isFull(result.tokensOut)
        ? { ...result, finishReason: 'length' }
        : result;
    },
  };
}

/** A tensor of one element is given as that element. */
function textOf(response: unknown): string {
  const text = stringField(response, 'text_output');
  if (text === undefined) throw garbage('a response holds no text');
  return text;
}

/** Both TensorRT-LLM's LLM API and the vLLM backend write Python's `str(None)` until the end. */
function finishOf(response: unknown): string | undefined {
  const reason = field(response, 'finish_reason');
  return typeof reason === 'string' && reason !== 'None' ? reason : undefined;
}

function toFinishReason(reason: string): EngineResult['finishReason'] {
  if (reason === 'stop' || reason === 'length') return reason;
  throw new EngineError('broken', 'triton', `the model ended by "${reason.slice(0, 40)}"`);
}

function garbage(message: string): EngineError {
  return new EngineError('garbage', 'triton', message);
}
