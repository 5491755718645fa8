import { SimHttpError } from '../kit/http-answers.ts';

/** Status phrases and exception names, as vLLM writes them into `type`. */
const TYPES: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  404: 'NotFoundError',
  422: 'UnprocessableEntityError',
  500: 'InternalServerError',
  501: 'NotImplementedError',
  503: 'Service Unavailable',
};

/** An error object, in bodies and streams alike. */
export function errorBody(
  status: number,
  message: string,
  { type = TYPES[status] ?? 'BadRequestError', param = null as string | null } = {},
) {
  return { error: { message, type, param, code: status } };
}

/** An answer other than 200, in vLLM's words. */
export function refusal(status: number, message: string, param?: string): SimHttpError {
  if (status === 401) return new SimHttpError(401, { error: 'Unauthorized' });
  return new SimHttpError(status, errorBody(status, message, { param: param ?? null }));
}

/** FastAPI's answer for a path no route has: which ones there are depends on the model's task. */
export function unknownRoute(): SimHttpError {
  return new SimHttpError(404, { detail: 'Not Found' });
}

/** A value of the wrong type. Like pydantic, it quotes the value. */
export function wrongType(key: string, value: unknown, wanted: string): SimHttpError {
  const entry = `{'type': '${wanted}_type', 'loc': ('body', '${key}'), 'input': '${String(value)}'}`;
  const message = `1 validation error:\n  ${entry}`;
  const shape = { type: 'Bad Request', param: `body.${key}` };
  return new SimHttpError(400, errorBody(400, message, shape));
}

export function tooLong(ctx: number, promptTokens: number, maxTokens: number): SimHttpError {
  const message =
    `This model's maximum context length is ${ctx} tokens. However, you requested ${maxTokens} ` +
    `output tokens and your prompt contains at least ${promptTokens} input tokens, for a total of ` +
    `at least ${promptTokens + maxTokens} tokens. Please reduce the length of the input prompt or ` +
    'the number of requested output tokens.';
  return refusal(400, message, 'input_tokens');
}
