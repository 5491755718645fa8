/** Correlation ids (OC-CTRL-2052): taken from the client when well formed, else made, and always echoed. */
import { randomUUID } from 'node:crypto';
import { isCorrelationId } from '@llama-orch/contracts';
import type { RequestHandler, Response } from 'express';

export const CORRELATION_HEADER = 'x-correlation-id';

export function correlationId(header: string | string[] | undefined): string {
  return typeof header === 'string' && isCorrelationId(header) ? header : randomUUID();
}

/** Puts the id on the response and into `res.locals.correlationId`. */
export const correlate: RequestHandler = (req, res, next) => {
  const id = correlationId(req.headers[CORRELATION_HEADER]);
  res.locals['correlationId'] = id;
  res.setHeader('X-Correlation-Id', id);
  next();
};

export function correlationOf(res: Response): string {
  return res.locals['correlationId'] as string;
}
