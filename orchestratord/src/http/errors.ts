/**
 * The one place where an error becomes an HTTP answer. Nothing else writes 4xx or 5xx, so every one of
 * them carries the envelope of the contract, and no fault can turn into an HTML page.
 */
import { OrchError, invalidParams, type ErrorEnvelope } from '@llama-orch/contracts';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { LedgerError } from '../ledger/ledger-error.ts';
import { callerFields } from './authenticate.ts';
import { correlationOf } from './correlation.ts';
import { answerBeforeBody, isOnItsWay, payloadTooLarge, refuseUnreadBody } from './request-body.ts';

export function toEnvelope(error: OrchError): ErrorEnvelope {
  return {
    code: error.kind,
    message: error.message,
    retriable: error.retriable,
    ...(error.engine === undefined ? {} : { engine: error.engine }),
    ...(error.poolId === undefined ? {} : { pool_id: error.poolId }),
    ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(error.retryAfterMs) }),
    ...(error.policyLabel === undefined ? {} : { policy_label: error.policyLabel }),
    ...(error.earliestFeasibleMs === undefined
      ? {}
      : { earliest_feasible_ms: Math.ceil(error.earliestFeasibleMs) }),
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

/** Retry hints when an error that promises them carries no figure of its own, ms. */
const DEFAULT_RETRY_MS = 1000;

/** Answers with the envelope; every 429 and 503 says when to come back. */
export function sendError(res: Response, error: OrchError): void {
  const envelope = toEnvelope(error);
  if (error.status !== 429 && error.status !== 503) {
    res.status(error.status).json(envelope);
    return;
  }
  const retryAfterMs = Math.max(1, Math.ceil(error.retryAfterMs ?? DEFAULT_RETRY_MS));
  res.setHeader('Retry-After', String(Math.ceil(retryAfterMs / 1000)));
  if (error.status === 429) res.setHeader('X-Backoff-Ms', String(retryAfterMs));
  res.status(error.status).json({ ...envelope, retry_after_ms: retryAfterMs });
}

/** Any thrown value as an OrchError; what we did not foresee is INTERNAL and says nothing of its cause. */
export function toOrchError(error: unknown): OrchError {
  if (error instanceof OrchError) return error;
  if (error instanceof LedgerError) {
    return new OrchError('POOL_UNAVAILABLE', 'the ledger cannot take writes right now', {
      retriable: true,
      retryAfterMs: DEFAULT_RETRY_MS,
      cause: error,
    });
  }
  return fromBodyReader(error) ?? new OrchError('INTERNAL', 'unexpected failure', { cause: error });
}

/** Errors of express.raw and of the router carry `type` and `status`; their texts are not ours to repeat. */
function fromBodyReader(error: unknown): OrchError | undefined {
  if (typeof error !== 'object' || error === null || !('status' in error)) return undefined;
  const status = error.status;
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined;
  const type = 'type' in error ? error.type : '';
  if (status === 413) {
    const limit = 'limit' in error && typeof error.limit === 'number' ? error.limit : undefined;
    return payloadTooLarge(limit, error);
  }
  const message =
    type === 'encoding.unsupported'
      ? 'the content-encoding is not supported'
      : type === 'request.aborted' || type === 'request.size.invalid'
        ? 'the body ended before its announced length'
        : 'the request is malformed';
  return new OrchError('INVALID_PARAMS', message, {
    status,
    details: [{ path: '', message }],
    cause: error,
  });
}

/** Last in the chain. Once a stream has begun there is nothing left to answer: the socket is closed. */
export function errorHandler(log: Logger): ErrorRequestHandler {
  return (error: unknown, req, res, _next) => {
    const fault = toOrchError(error);
    if (fault.kind === 'INTERNAL') {
      log.error(
        {
          correlation_id: correlationOf(res),
          ...callerFields(res),
          method: req.method,
          route: req.path,
          err: fault.cause,
        },
        'request failed unexpectedly',
      );
    } else if (fault.kind === 'UNAUTHORIZED' || fault.kind === 'FORBIDDEN') {
      log.info(
        { correlation_id: correlationOf(res), ...callerFields(res), code: fault.kind },
        'request refused',
      );
    }
    if (res.headersSent) {
      res.destroy();
      return;
    }
    if (fault.kind === 'PAYLOAD_TOO_LARGE' && isOnItsWay(req)) {
      answerBeforeBody(req, res, fault.status, toEnvelope(fault));
      return;
    }
    refuseUnreadBody(req, res);
    sendError(res, fault);
  };
}

export const unknownRoute: RequestHandler = (req) => {
  throw new OrchError('NOT_FOUND', `no such resource: ${req.method} ${req.path.slice(0, 200)}`);
};

/** HTTP/1.1 demands a Host (RFC 9112, 3.2); Node's own check would answer without the envelope. */
export const requireHost: RequestHandler = (req, _res, next) => {
  if (req.headers.host !== undefined || req.httpVersion === '1.0') {
    next();
    return;
  }
  throw invalidParams('The request', [{ path: 'Host', message: 'is required' }]);
};

/** For a known path with another method: 405 with `Allow`. */
export function methodNotAllowed(allow: string): RequestHandler {
  return (req, res) => {
    res.setHeader('Allow', allow);
    throw new OrchError('INVALID_PARAMS', `${req.method} is not allowed here; use ${allow}`, {
      status: 405,
    });
  };
}
