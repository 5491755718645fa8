import { SimHttpError } from '../kit/http-answers.ts';

/** An answer other than 200, in llama-server's words. */
export function refusal(
  status: number,
  type: string,
  message: string,
  extra: object = {},
): SimHttpError {
  return new SimHttpError(status, { error: { code: status, message, type, ...extra } });
}

export function notSupported(flag: string): SimHttpError {
  const message = `This server does not support it: start with --${flag}`;
  return refusal(501, 'not_supported_error', message);
}
