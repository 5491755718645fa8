/**
 * Who calls (OC-CTRL-2040): the key, then the scope, then the tenant's rate. All of it before the body is
 * read, so that a stranger cannot make us hold anything.
 */
import { OPERATIONS, OrchError } from '@llama-orch/contracts';
import type { RequestHandler, Response } from 'express';
import { KEYLESS, missingScope, type GuardedOperation, type Identity } from '../auth/identity.ts';
import type { KeyRing } from '../auth/key-ring.ts';
import type { RateLimits } from '../auth/tenants.ts';
import type { Clock } from '../clock.ts';

/** Compared as they stand: what merely resembles an open path needs a key. */
const OPEN_PATHS: ReadonlySet<string> = new Set(
  Object.values(OPERATIONS).flatMap(({ scope, path }) => (scope === null ? [path] : [])),
);

/** RFC 6750, section 2.1; the scheme's letter case does not count (RFC 9110, section 11.1). */
const BEARER = /^bearer +([^ ]+)$/i;

/**
 * Lets nobody pass without a key, except to what the contract leaves open. That includes paths that do
 * not exist. @param keys undefined while none is configured
 */
export function authenticate(keys: KeyRing | undefined): RequestHandler {
  return (req, res, next) => {
    if (keys === undefined) {
      res.locals['identity'] = KEYLESS;
    } else if (!OPEN_PATHS.has(req.path)) {
      const { authorization } = req.headers;
      const key = BEARER.exec(authorization ?? '')?.[1];
      const identity = key === undefined ? undefined : keys.find(key);
      if (identity === undefined) throw unauthorized(res, authorization !== undefined);
      res.locals['identity'] = identity;
    }
    next();
  };
}

/** Lets a caller pass who has the scope that the contract asks for. */
export function allow(operationId: GuardedOperation): RequestHandler {
  return (_req, res, next) => {
    const missing = missingScope(identityOf(res), operationId);
    if (missing === undefined) {
      next();
      return;
    }
    res.setHeader('WWW-Authenticate', `Bearer error="insufficient_scope", scope="${missing}"`);
    throw new OrchError('FORBIDDEN', `this key lacks the scope ${missing}`);
  };
}

export interface RateLimitOptions {
  readonly limits: RateLimits;
  readonly clock: Clock;
}

/** Counts a task against its tenant's rate (OC-CTRL-2046). */
export function limitRate({ limits, clock }: RateLimitOptions): RequestHandler {
  return (_req, res, next) => {
    const { tenantId } = identityOf(res);
    const retryAfterMs = limits.take(tenantId, clock.now());
    if (retryAfterMs === 0) {
      next();
      return;
    }
    throw new OrchError('RATE_LIMITED', `tenant ${tenantId} posts tasks faster than it may`, {
      retryAfterMs,
      policyLabel: 'rate-limit',
    });
  };
}

/** The caller, once `authenticate` has let it pass. */
export function identityOf(res: Response): Identity {
  const identity = res.locals['identity'] as Identity | undefined;
  if (identity === undefined) throw new OrchError('INTERNAL', 'an open operation has no caller');
  return identity;
}

/** What log lines say of the caller; nothing before it is known. */
export function callerFields(res: Response): Record<string, unknown> {
  const identity = res.locals['identity'] as Identity | undefined;
  return { tenant_id: identity?.tenantId, key_id: identity?.keyId };
}

function unauthorized(res: Response, isPresent: boolean): OrchError {
  res.setHeader('WWW-Authenticate', isPresent ? 'Bearer error="invalid_token"' : 'Bearer');
  return new OrchError(
    'UNAUTHORIZED',
    isPresent ? 'this key is not known' : 'a key is needed: Authorization: Bearer KEY',
  );
}
