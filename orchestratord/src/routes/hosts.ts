/** The pool API (contracts/openapi/pool.yaml): hosts report, and hear what to do. */
import { invalidParams, isHostId, parseQuery, validateHostSync } from '@llama-orch/contracts';
import { Router, type Request, type RequestHandler } from 'express';
import type { RemoteHosts } from '../hosts/remote-hosts.ts';
import { allow } from '../http/authenticate.ts';
import { methodNotAllowed } from '../http/errors.ts';
import { parseJsonBody } from '../http/json-body.ts';
import { checkedQuery } from '../http/route-helpers.ts';

export interface HostRoutesOptions {
  readonly hosts: RemoteHosts;
  readonly readBody: RequestHandler;
}

export function hostRoutes({ hosts, readBody }: HostRoutesOptions): Router {
  const router = Router();

  router
    .route('/v1/hosts')
    .get(allow('listHosts'), (_req, res) => {
      res.json({ items: hosts.hosts() });
    })
    .all(methodNotAllowed('GET'));

  router
    .route('/v1/hosts/:host_id')
    .delete(allow('removeHost'), (req, res) => {
      const hostId = hostIdOf(req);
      const { instance_id: instanceId } = checkedQuery(parseQuery('removeHost', req.query));
      hosts.remove(hostId, instanceId);
      res.status(204).end();
    })
    .all(methodNotAllowed('DELETE'));

  router
    .route('/v1/hosts/:host_id/sync')
    .post(allow('syncHost'), readBody, async (req, res) => {
      const hostId = hostIdOf(req);
      const body = validateHostSync(parseJsonBody(req).value);
      if (!body.ok) throw invalidParams('The request body', body.details);
      res.json(await hosts.sync(hostId, body.value));
    })
    .all(methodNotAllowed('POST'));

  return router;
}

/** @throws OrchError INVALID_PARAMS */
function hostIdOf(req: Request): string {
  const id = req.params['host_id'];
  if (typeof id === 'string' && isHostId(id)) return id;
  throw invalidParams('The path', [{ path: 'host_id', message: 'is not the id of a host' }]);
}
