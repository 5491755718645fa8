import { field, numberField, parseJson, stringField } from './json-fields.ts';
import { EngineError } from './types.ts';
import type { EngineFault, EngineName } from './types.ts';

/** What a server with OpenAI's API says of a failure, in HTTP bodies and inside streams alike. */
export interface OpenAiError {
  /** HTTP status, or what stands for it inside a stream; 500 where nothing does. */
  readonly status: number;
  readonly type: string;
  /** May quote the request: for matching, never to be handed on. */
  readonly message: string;
  /** The field of the request that is wrong. */
  readonly param: string;
}

/**
 * Reads the forms in use: `{"error":{"message","type","param","code"}}` (OpenAI, vLLM, SGLang, Ollama),
 * the same flat with `"object":"error"` (older vLLM, TensorRT-LLM), `{"error":"text"}` (Ollama, an
 * unauthorized vLLM), `{"message","code"}`, and FastAPI's `{"detail"}`. Undefined when `value` is none.
 */
export function parseOpenAiError(value: unknown): OpenAiError | undefined {
  const error = field(value, 'error') ?? undefined;
  if (typeof error === 'string') return toError(value, error);
  if (typeof error === 'object') return toError(error, stringField(error, 'message') ?? '');
  if (field(value, 'choices') !== undefined) return undefined;
  const message = stringField(value, 'message');
  if (message !== undefined || field(value, 'object') === 'error') {
    return toError(value, message ?? '');
  }
  const detail = field(value, 'detail');
  if (detail === undefined) return undefined;
  return toError(value, typeof detail === 'string' ? detail : '');
}

/** The error an HTTP answer other than 200 stands for; a body of no known form is its message. */
export function openAiErrorOf(status: number, body: string): OpenAiError {
  const error = parseOpenAiError(parseJson(body));
  return error === undefined
    ? { status, type: '', message: body, param: '' }
    : { ...error, status };
}

/** Names a failure by what may be done next; what a server says otherwise its adapter decides first. */
export function openAiFault({ status, message, param }: OpenAiError): EngineFault {
  if (status === 503) return LOADING.test(message) ? 'not-ready' : 'busy';
  if (status === 429 || OVERLOADED.test(message)) return 'busy';
  if (status === 408) return 'timeout';
  // A key the server does not take, an account that is closed or a model it does not serve is a fault
  // of the set-up, and a route it does not have a server of another kind.
  if (status === 401 || status === 402 || status === 403) return 'broken';
  if (status === 404) return param === 'model' || MODEL.test(message) ? 'broken' : 'garbage';
  if (status === 405 || status < 400) return 'garbage';
  return status < 500 || status === 501 ? 'permanent' : 'broken';
}

const LOADING = /\b(?:loading|starting)\b/i;
/** TGI gives an overload inside a stream the status 422, and Triton may give it 400. */
const OVERLOADED = /\boverloaded\b|exceeds maximum queue size|maximum pending requests exceeded/i;
const MODEL = /\bmodel\b/i;

/**
 * The failure for the rest of the house. Of the server's words only what cannot hold text of the
 * request is kept (OC-ADAPT-5013): many servers quote the body they complain about.
 * @param server how people call it, `vLLM`
 */
export function toOpenAiFailure(
  engine: EngineName,
  server: string,
  error: OpenAiError,
  fault: EngineFault = openAiFault(error),
): EngineError {
  const { status, message } = error;
  const type = TYPE.test(error.type) ? ` ${error.type}` : '';
  const param = PARAM.test(error.param) ? ` (${error.param})` : '';
  const ctx = CONTEXT.exec(message)?.[1];
  const detail = ctx === undefined ? '' : `: longer than the context of ${ctx} tokens`;
  return new EngineError(fault, engine, `${server} answered ${status}${type}${param}${detail}`, {
    status,
  });
}

const TYPE = /^\w[\w -]{0,63}$/;
const PARAM = /^[a-z_][\w.]{0,63}$/;
const CONTEXT = /maximum context length is (\d{1,9})/;

function toError(error: unknown, message: string): OpenAiError {
  const code = field(error, 'code');
  const status = typeof code === 'string' && /^\d{3}$/.test(code) ? Number(code) : code;
  return {
    status:
      typeof status === 'number'
        ? status
        : (numberField(error, 'http_status_code') ?? numberField(error, 'status_code') ?? 500),
    type: stringField(error, 'type') ?? stringField(error, 'error_type') ?? '',
    message,
    param: stringField(error, 'param') ?? '',
  };
}
