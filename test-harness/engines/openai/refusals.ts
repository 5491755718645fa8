import { SimHttpError } from '../kit/http-answers.ts';
import type { SimFlavor } from './flavors.ts';

/** An answer other than 200, in the words of the server. */
export function refusal(
  flavor: SimFlavor,
  status: number,
  message: string,
  { type = typeOf(flavor, status), code = null }: { type?: string; code?: string | null } = {},
): SimHttpError {
  switch (flavor) {
    case 'generic':
      return new SimHttpError(
        status,
        { error: { message, type, param: null, code } },
        status === 429 ? { 'retry-after': '1' } : {},
      );
    case 'sglang':
      return new SimHttpError(status, {
        object: 'error',
        message,
        type,
        param: null,
        code: status,
      });
    case 'ollama':
      return new SimHttpError(status, { error: { message, type, param: null, code: null } });
    case 'lmstudio':
      return new SimHttpError(status, { error: message });
  }
}

/** A route that is not there: LM Studio answers it 200, Ollama in plain text. */
export function noSuchRoute(flavor: SimFlavor, route: string): SimHttpError {
  switch (flavor) {
    case 'generic': {
      const message = `Unknown request URL: ${route}. Please check the URL for typos.`;
      return refusal(flavor, 404, message, { code: 'unknown_url' });
    }
    case 'sglang':
      return new SimHttpError(404, { detail: 'Not Found' });
    case 'ollama':
      return new SimHttpError(404, '404 page not found');
    case 'lmstudio':
      return new SimHttpError(200, { error: `Unexpected endpoint or method. (${route})` });
  }
}

export function noSuchModel(flavor: SimFlavor, model: string): SimHttpError {
  const message =
    flavor === 'ollama'
      ? `model '${model}' not found`
      : `The model \`${model}\` does not exist or you do not have access to it.`;
  return refusal(flavor, 404, message, { code: 'model_not_found' });
}

export function tooLong(flavor: SimFlavor, ctx: number, tokens: number): SimHttpError {
  const message =
    flavor === 'lmstudio'
      ? `Trying to keep the first ${tokens} tokens when context the overflows. However, the model is loaded with context length of only ${ctx} tokens, which is not enough.`
      : `This model's maximum context length is ${ctx} tokens. However, you requested ${tokens} tokens.`;
  return refusal(flavor, 400, message, { code: 'context_length_exceeded' });
}

export function overloaded(flavor: SimFlavor): SimHttpError {
  switch (flavor) {
    case 'generic':
      return refusal(flavor, 429, 'Rate limit reached for requests', {
        type: 'requests',
        code: 'rate_limit_exceeded',
      });
    case 'sglang':
      return refusal(flavor, 503, 'The request queue is full.');
    case 'ollama':
    case 'lmstudio':
      return refusal(
        flavor,
        503,
        'server busy, please try again.  maximum pending requests exceeded',
      );
  }
}

function typeOf(flavor: SimFlavor, status: number): string {
  if (flavor === 'sglang') return status < 500 ? 'BadRequestError' : 'InternalServerError';
  if (status === 404 && flavor === 'ollama') return 'not_found_error';
  if (status < 500) return 'invalid_request_error';
  return flavor === 'ollama' ? 'api_error' : 'server_error';
}
