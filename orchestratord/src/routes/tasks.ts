/** Data plane: tasks. Routes parse, call and answer; nothing is decided here. */
import { invalidParams, isIdempotencyKey, parseQuery } from '@llama-orch/contracts';
import {
  Router,
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import { allow, identityOf } from '../http/authenticate.ts';
import { correlationOf } from '../http/correlation.ts';
import { methodNotAllowed, toOrchError } from '../http/errors.ts';
import { checkedQuery, lastEventIdOf, sendJson, uuidOf } from '../http/route-helpers.ts';
import { parseJsonBody } from '../http/json-body.ts';
import { followLog, openEventStream, replayArchivedLog } from '../http/sse-reader.ts';
import type { Ledger } from '../ledger/types.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { LiveTask } from '../tasks/live-task.ts';
import { parseLogEntry } from '../tasks/task-log.ts';
import type { TaskQueries } from '../tasks/task-queries.ts';
import type { TaskService } from '../tasks/task-service.ts';
import type { Verifier } from '../tasks/verification.ts';

export interface TaskRoutesOptions {
  readonly service: TaskService;
  readonly queries: TaskQueries;
  readonly verifier: Verifier;
  readonly ledger: Ledger;
  readonly metrics: Metrics;
  readonly heartbeatMs: number;
  readonly limitRate: RequestHandler;
  readonly readBody: RequestHandler;
}

export function taskRoutes(options: TaskRoutesOptions): Router {
  const { service, queries } = options;
  const router = Router();

  router
    .route('/v1/tasks')
    .post(allow('createTask'), options.limitRate, options.readBody, async (req, res) => {
      const { tenantId, keyId } = identityOf(res);
      const query = checkedQuery(parseQuery('createTask', req.query));
      const admitted = await service.create(parseJsonBody(req), {
        tenantId,
        keyId,
        correlationId: correlationOf(res),
        idempotencyKey: idempotencyKeyOf(req),
      });
      const { response } = admitted;
      res.setHeader('Location', `/v1/tasks/${response.task_id}`);
      res.setHeader('X-Queue-Position', String(response.queue_position));
      res.setHeader('X-Queue-ETA-Ms', String(response.predicted_start_ms));
      if (wantsStream(req)) {
        await stream(res, options, response.task_id, admitted.task, 0, () => {
          if (query.cancel_on_disconnect) {
            void service.cancel(response.task_id, tenantId, 'disconnect').catch(ignoreGone);
          }
        });
        return;
      }
      res.status(202).json(response);
    })
    .post(countRefusals(options.metrics))
    .get(allow('listTasks'), async (req, res) => {
      const query = checkedQuery(parseQuery('listTasks', req.query));
      const { items, next } = await queries.list(
        {
          tenantId: identityOf(res).tenantId,
          ...(query.state === undefined ? {} : { state: query.state }),
          ...(query.session_id === undefined ? {} : { sessionId: query.session_id }),
          ...(query.priority === undefined ? {} : { priority: query.priority }),
        },
        query.cursor === undefined ? undefined : parseCursor(query.cursor),
        query.limit,
      );
      const cursor = next === undefined ? '' : `,"next_cursor":"${toCursor(next)}"`;
      sendJson(res, `{"items":[${items.join(',')}]${cursor}}`);
    })
    .all(methodNotAllowed('GET, POST'));

  router
    .route('/v1/tasks/:id')
    .get(allow('getTask'), async (req, res) => {
      sendJson(res, await queries.get(uuidOf(req), identityOf(res).tenantId));
    })
    .all(methodNotAllowed('GET'));

  router
    .route('/v1/tasks/:id/explain')
    .get(allow('explainTask'), async (req, res) => {
      const { tenantId, scopes } = identityOf(res);
      const viewer = { tenantId, seesTenants: scopes.has('admin') };
      res.json(await queries.explain(uuidOf(req), viewer));
    })
    .all(methodNotAllowed('GET'));

  router
    .route('/v1/tasks/:id/stream')
    .get(allow('streamTask'), async (req, res) => {
      const taskId = uuidOf(req);
      const query = checkedQuery(parseQuery('streamTask', req.query));
      const after = lastEventIdOf(req) ?? query.after ?? 0;
      const live = queries.findLive(taskId, identityOf(res).tenantId);
      await stream(res, options, taskId, live, after, () => undefined);
    })
    .all(methodNotAllowed('GET'));

  router
    .route('/v1/tasks/:id/verify')
    .post(allow('verifyTask'), options.limitRate, async (req, res) => {
      const { tenantId, keyId } = identityOf(res);
      const left = new AbortController();
      res.once('close', () => left.abort());
      const correlationId = correlationOf(res);
      const caller = { tenantId, keyId, correlationId };
      res.json(await options.verifier.verify(uuidOf(req), caller, left.signal));
    })
    .all(methodNotAllowed('POST'));

  router
    .route('/v1/tasks/:id/cancel')
    .post(allow('cancelTask'), async (req, res) => {
      await service.cancel(uuidOf(req), identityOf(res).tenantId, 'client');
      res.status(204).end();
    })
    .all(methodNotAllowed('POST'));

  return router;
}

/** Every POST of a task that is answered with an error, whatever refused it (OC-METRICS-7125). */
function countRefusals(metrics: Metrics): ErrorRequestHandler {
  return (error: unknown, _req, res, next) => {
    if (!res.headersSent) {
      const { kind, engine = '' } = toOrchError(error);
      metrics.tasksRejected.inc({ reason: kind, engine });
    }
    next(error);
  };
}

/** Follows a live task, or replays one that has ended. */
async function stream(
  res: Response,
  options: TaskRoutesOptions,
  taskId: string,
  task: LiveTask | undefined,
  afterId: number,
  onLeft: () => void,
): Promise<void> {
  const { metrics, queries, ledger } = options;
  if (task !== undefined && res.req.method === 'HEAD') {
    openEventStream(res);
    res.end();
    return;
  }
  if (task !== undefined) {
    metrics.sseStreamsOpen.inc();
    openEventStream(res);
    followLog(res, task.log, {
      afterId,
      heartbeatMs: options.heartbeatMs,
      onClose: (complete) => {
        metrics.sseStreamsOpen.dec();
        if (!complete) onLeft();
      },
    });
    return;
  }
  const ended = await queries.findEnded(taskId, identityOf(res).tenantId);
  metrics.sseStreamsOpen.inc();
  try {
    openEventStream(res);
    const readPage = async (after: number, limit: number) =>
      (await ledger.readTranscript(taskId, after, limit)).map(parseLogEntry);
    await replayArchivedLog(res, readPage, afterId, ended.state === 'canceled');
  } finally {
    metrics.sseStreamsOpen.dec();
  }
}

function ignoreGone(): void {
  // The task ended, and was swept, before its reader left: nothing is left to cancel.
}

function wantsStream(req: Request): boolean {
  return (req.headers.accept ?? '').includes('text/event-stream');
}

/** @throws OrchError INVALID_PARAMS */
function idempotencyKeyOf(req: Request): string | undefined {
  const key = req.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && isIdempotencyKey(key)) return key;
  throw invalidParams('The Idempotency-Key header', [
    { path: 'Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters' },
  ]);
}

/** Cursors are opaque to clients: the arrival number to continue below. */
function toCursor(seq: number): string {
  return Buffer.from(`t${seq}`).toString('base64url');
}

/** @throws OrchError INVALID_PARAMS */
function parseCursor(cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const seq = /^t(\d{1,15})$/.exec(text)?.[1];
  if (seq !== undefined) return Number(seq);
  throw invalidParams('The query', [{ path: 'cursor', message: 'is not a cursor of this list' }]);
}
