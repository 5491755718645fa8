/** Control plane: the ledger's events for operators, as a page or as a stream. */
import { parseQuery } from '@llama-orch/contracts';
import type { CoreEvent } from '@llama-orch/orchestrator-core';
import { Router, type Response } from 'express';
import { allow } from '../http/authenticate.ts';
import { methodNotAllowed } from '../http/errors.ts';
import { checkedQuery, lastEventIdOf, sendJson } from '../http/route-helpers.ts';
import { HEARTBEAT_FRAME } from '../http/sse-frames.ts';
import { openEventStream } from '../http/sse-reader.ts';
import type { Ledger, SequencedEvent } from '../ledger/types.ts';
import type { StoredEvent } from '../tasks/core-host.ts';

export interface EventRoutesOptions {
  readonly ledger: Ledger;
  readonly heartbeatMs: number;
  /** Calls back after events were written; returns the unsubscribe function. */
  readonly onEvents: (listener: () => void) => () => void;
}

/** Events read from the ledger for one write to a stream. */
const STREAM_PAGE = 256;

export function eventRoutes(options: EventRoutesOptions): Router {
  const { ledger } = options;
  const router = Router();
  router
    .route('/v1/events')
    .get(allow('listEvents'), async (req, res) => {
      const query = checkedQuery(parseQuery('listEvents', req.query));
      const after = lastEventIdOf(req) ?? query.after;
      if (query.stream) {
        openEventStream(res);
        if (req.method === 'HEAD') res.end();
        else followEvents(res, after, options);
        return;
      }
      const events = await ledger.readEvents(after, query.limit);
      const next = events.at(-1)?.seq ?? after;
      sendJson(res, `{"items":[${events.map(toJson).join(',')}],"next_after":${next}}`);
    })
    .all(methodNotAllowed('GET'));
  return router;
}

function followEvents(res: Response, after: number, options: EventRoutesOptions): void {
  let position = after;
  let busy = false;
  let again = false;
  let closed = false;

  const pump = async (): Promise<void> => {
    again = true;
    if (busy) return;
    busy = true;
    try {
      while (again && !closed) {
        again = false;
        const events = await options.ledger.readEvents(position, STREAM_PAGE);
        const last = events.at(-1);
        if (last === undefined || closed) continue;
        position = last.seq;
        again = events.length === STREAM_PAGE || again;
        const frames = events.map(
          (event) => `id: ${event.seq}\nevent: ${event.type}\ndata: ${toJson(event)}\n\n`,
        );
        // A reader that does not keep up is read to from the ledger again once it has drained.
        if (!res.write(frames.join(''))) return;
      }
    } catch {
      res.destroy();
    } finally {
      busy = false;
    }
  };

  const unsubscribe = options.onEvents(() => void pump());
  const heartbeat = setInterval(() => res.write(HEARTBEAT_FRAME), options.heartbeatMs);
  heartbeat.unref();
  res.on('drain', () => void pump());
  res.on('close', () => {
    closed = true;
    clearInterval(heartbeat);
    unsubscribe();
  });
  void pump();
}

/** Facts only: what a client wrote stays in the ledger (`detail` is left out). */
function toJson(stored: SequencedEvent): string {
  const { event } = JSON.parse(stored.data) as StoredEvent;
  return JSON.stringify({
    seq: stored.seq,
    at: stored.atMs,
    type: stored.type,
    v: stored.v,
    ...(stored.taskId === undefined ? {} : { task_id: stored.taskId }),
    data: factsOf(event),
  });
}

/** An event without what an engine said about the request: that is for its client alone. */
function factsOf(event: CoreEvent): object {
  const { type: _type, ...facts } = event;
  if (event.type !== 'task.ended' || event.outcome.kind !== 'failed') return facts;
  const { message: _message, ...outcome } = event.outcome;
  return { ...facts, outcome };
}
