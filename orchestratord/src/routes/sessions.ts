/** Data plane: sessions. */
import { OrchError, type SessionInfo } from '@llama-orch/contracts';
import type { Core, SessionView } from '@llama-orch/orchestrator-core';
import { Router, type Request, type Response } from 'express';
import type { Clock } from '../clock.ts';
import { allow, identityOf } from '../http/authenticate.ts';
import { methodNotAllowed } from '../http/errors.ts';
import { uuidOf } from '../http/route-helpers.ts';
import type { CoreHost } from '../tasks/core-host.ts';

export interface SessionRoutesOptions {
  readonly core: Core;
  readonly host: CoreHost;
  readonly clock: Clock;
  readonly maxTurns: number;
  /** Bytes of KV one token takes in a pool's replicas; 0 when unknown. */
  readonly kvBytesPerToken: (poolId: string) => number;
}

export function sessionRoutes(options: SessionRoutesOptions): Router {
  const router = Router();
  router
    .route('/v1/sessions/:id')
    .get(allow('getSession'), (req, res) => {
      res.json(toSessionInfo(findSession(req, res, options), options));
    })
    .delete(allow('deleteSession'), async (req, res) => {
      const { sessionId } = findSession(req, res, options);
      await options.host.apply({ type: 'session-delete', sessionId }).durable;
      res.status(204).end();
    })
    .all(methodNotAllowed('GET, DELETE'));
  return router;
}

/** @throws OrchError NOT_FOUND, INVALID_PARAMS */
function findSession(req: Request, res: Response, options: SessionRoutesOptions): SessionView {
  const session = options.core.session(uuidOf(req), options.clock.now());
  if (session?.tenantId === identityOf(res).tenantId) return session;
  throw new OrchError('NOT_FOUND', 'no such session');
}

function toSessionInfo(session: SessionView, options: SessionRoutesOptions): SessionInfo {
  return {
    session_id: session.sessionId,
    pool_id: session.poolId,
    ttl_ms_remaining: Math.max(0, Math.round(session.ttlRemainingMs)),
    turns: session.turns,
    max_turns: options.maxTurns,
    kv_bytes: session.kvTokens * options.kvBytesPerToken(session.poolId),
    kv_warmth: session.kvWarmth,
    ...(session.replicaId === undefined ? {} : { replica_id: session.replicaId }),
    tokens_total: session.tokensTotal,
  };
}
