/** Control plane: liveness, readiness, metrics, the contracts themselves. */
import { OrchError, type Readiness } from '@llama-orch/contracts';
import { Router } from 'express';
import { allow } from '../http/authenticate.ts';
import { methodNotAllowed } from '../http/errors.ts';

export interface OperationsRoutesOptions {
  /** One line per dependency. */
  readonly checks: () => Readiness['checks'];
  /** Prometheus text exposition. */
  readonly scrape: () => Promise<string>;
  readonly dataContract: string;
  readonly controlContract: string;
  readonly poolContract: string;
}

const RETRY_READY_MS = 1000;

export function operationsRoutes(options: OperationsRoutesOptions): Router {
  const router = Router();

  router
    .route('/healthz')
    .get((_req, res) => void res.json({ status: 'ok' }))
    .all(methodNotAllowed('GET'));

  router
    .route('/readyz')
    .get((_req, res) => {
      const checks = options.checks();
      const down = checks.filter((check) => !check.ok);
      if (down.length === 0) {
        res.json({ ready: true, checks });
        return;
      }
      throw new OrchError(
        'POOL_UNREADY',
        `not ready: ${down.map((each) => each.name).join(', ')}`,
        {
          retryAfterMs: RETRY_READY_MS,
          details: down
            .slice(0, 32)
            .map((each) => ({ path: each.name, message: each.detail ?? 'is down' })),
        },
      );
    })
    .all(methodNotAllowed('GET'));

  router
    .route('/metrics')
    .get(allow('getMetrics'), async (_req, res) => {
      const text = await options.scrape();
      res.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
      res.end(text);
    })
    .all(methodNotAllowed('GET'));

  for (const [path, text] of [
    ['/openapi/data.yaml', options.dataContract],
    ['/openapi/control.yaml', options.controlContract],
    ['/openapi/pool.yaml', options.poolContract],
  ] as const) {
    router
      .route(path)
      .get((_req, res) => {
        res.setHeader('content-type', 'application/yaml; charset=utf-8');
        res.end(text);
      })
      .all(methodNotAllowed('GET'));
  }

  return router;
}
