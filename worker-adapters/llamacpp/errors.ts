import { field, numberField, parseJson, stringField } from '../api/json-fields.ts';
import { EngineError } from '../api/types.ts';
import type { EngineFault } from '../api/types.ts';

/** What llama-server says of a failure, in HTTP bodies and inside streams alike. */
export interface LlamaCppError {
  readonly code: number;
  readonly type: string;
  readonly message: string;
  readonly promptTokens: number | undefined;
  readonly ctx: number | undefined;
}

const MAX_MESSAGE_CHARS = 200;

/** Reads `{"error":{"code","message","type"}}`; undefined when `value` is no such object. */
export function parseLlamaCppError(value: unknown): LlamaCppError | undefined {
  const error = field(value, 'error');
  if (typeof error !== 'object' || error === null) return undefined;
  return {
    code: numberField(error, 'code') ?? 500,
    type: stringField(error, 'type') ?? '',
    message: stringField(error, 'message') ?? '',
    promptTokens: numberField(error, 'n_prompt_tokens'),
    ctx: numberField(error, 'n_ctx'),
  };
}

/** The failure an HTTP answer other than 200 stands for. */
export function refusal(status: number, body: string): EngineError {
  const error = parseLlamaCppError(parseJson(body));
  return toEngineError(
    error === undefined
      ? { code: status, type: '', message: '', promptTokens: undefined, ctx: undefined }
      : { ...error, code: status },
  );
}

/**
 * Names a failure by what may be done next. 5xx messages are withheld: a parse error of llama-server
 * quotes the request body, and with it the prompt.
 */
export function toEngineError(error: LlamaCppError): EngineError {
  const fault = faultOf(error);
  const label = `llama-server answered ${error.code}${error.type === '' ? '' : ` ${error.type}`}`;
  return new EngineError(fault, 'llamacpp', `${label}${detailOf(error)}`, { status: error.code });
}

function faultOf({ code, type, message }: LlamaCppError): EngineFault {
  if (code === 503) return message.startsWith('Loading model') ? 'not-ready' : 'busy';
  if (code === 429) return 'busy';
  // The KV shared by all slots is full: elsewhere, or a moment later, there may be room.
  if (code === 500 && message.startsWith('Context size has been exceeded')) return 'busy';
  if (isTooLarge(message)) return 'permanent';
  if (type === 'exceed_context_size_error' || code === 501) return 'permanent';
  // A key the engine does not take or a route it does not have is a fault of the set-up, not of the
  // request.
  if (code === 401 || code === 403) return 'broken';
  if (code === 404 || code < 400) return 'garbage';
  return code < 500 ? 'permanent' : 'broken';
}

function detailOf({ code, type, message, promptTokens, ctx }: LlamaCppError): string {
  if (type === 'exceed_context_size_error' && promptTokens !== undefined && ctx !== undefined) {
    return `: the prompt has ${promptTokens} tokens, the context ${ctx}`;
  }
  if (isTooLarge(message)) return ': a text has more tokens than it takes at once (--ubatch-size)';
  if (message === '' || code >= 500) return '';
  return `: ${message.slice(0, MAX_MESSAGE_CHARS)}`;
}

/** What it says of a text to embed or rank that is longer than its physical batch; the status is 500. */
function isTooLarge(message: string): boolean {
  return /^input (\(\d+ tokens\) )?is too large to process/.test(message);
}
