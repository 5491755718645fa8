import { openAiErrorOf, openAiFault } from '../api/openai-errors.ts';
import type { OpenAiError } from '../api/openai-errors.ts';
import { EngineError } from '../api/types.ts';
import type { EngineFault } from '../api/types.ts';

/** A failure as TGI names it (router/src/infer/mod.rs, `InferError`). */
interface KnownError {
  /** `error_type` */
  readonly type: string;
  /** How its message begins. */
  readonly says: string;
  readonly status: number;
  readonly fault: EngineFault;
}

const KNOWN: readonly KnownError[] = [
  { type: 'overloaded', says: 'Model is overloaded', status: 429, fault: 'busy' },
  { type: 'validation', says: 'Input validation error', status: 422, fault: 'permanent' },
  { type: 'template_error', says: 'Template error', status: 422, fault: 'permanent' },
  { type: 'missing_template_variable', says: 'Missing template', status: 422, fault: 'permanent' },
  { type: 'tool_error', says: 'Tool error', status: 422, fault: 'permanent' },
  // A shard failed, and with it every request of its batch.
  { type: 'generation', says: 'Request failed during', status: 424, fault: 'broken' },
  { type: 'incomplete_generation', says: 'Incomplete generation', status: 500, fault: 'broken' },
];

/** Messages of validation that name parameters and bounds, or what is wrong with a schema. */
const TELLABLE = /^Input validation error: (?:`|grammar is not |cannot compile regex )/;
const MAX_MESSAGE_CHARS = 200;

/** The failure an HTTP answer other than 200 stands for; some bodies are plain text, some empty. */
export function refusal(status: number, body: string): EngineError {
  return toEngineError(openAiErrorOf(status, body));
}

/**
 * Names a failure by what may be done next. A native stream tells its type, `{"error":"…","error_type":
 * "…"}`, and no status; a chat stream gives everything as `{"error":{"message":"…",
 * "http_status_code":422}}`, so that only the message tells which it is.
 *
 * Messages that quote the output (tools), the prompt (images in it) or the body are withheld.
 */
export function toEngineError(error: OpenAiError): EngineError {
  const { type, message } = error;
  const known = KNOWN.find((each) => each.type === type || message.startsWith(each.says));
  const status = known?.status ?? error.status;
  const label = `TGI answered ${status}${known === undefined ? '' : ` ${known.type}`}`;
  const detail = TELLABLE.test(message) ? `: ${message.slice(0, MAX_MESSAGE_CHARS)}` : '';
  return new EngineError(known?.fault ?? openAiFault(error), 'tgi', `${label}${detail}`, {
    status,
  });
}
