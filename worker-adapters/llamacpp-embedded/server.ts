import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { invalid } from './body-fields.ts';
import { completion } from './completion-route.ts';
import type { EngineContext } from './engine-context.ts';
import { HttpFault } from './http-fault.ts';
import { readJsonBody, send, sendFault, sendJson } from './http-io.ts';
import { modelsObject, propsObject, slotObject } from './info-routes.ts';
import { detokenizeObject, tokenizeObject } from './token-routes.ts';

export interface EngineServer {
  readonly server: Server;
  /** From here on requests are served; before, all are answered 503 `Loading model`. */
  readonly ready: (engine: EngineContext) => void;
  /** Ends every request in flight with an error, and settles when the last one is answered. */
  readonly stop: () => Promise<void>;
}

interface Call {
  readonly engine: EngineContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** Aborted when the client disconnects or the server stops. */
  readonly signal: AbortSignal;
}

type Route = (call: Call) => void | Promise<void>;

/** llama-server's HTTP API, as far as this engine has it (`tools/server/README.md`). */
export function createEngineServer(
  startedAt: number,
  onFault: (error: unknown) => void,
): EngineServer {
  let engine: EngineContext | undefined;
  const stopping = new AbortController();
  const inFlight = new Set<Promise<void>>();
  const routes = createRoutes(startedAt);

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, stopping.signal]);
    try {
      stopping.signal.throwIfAborted();
      if (engine === undefined) throw new HttpFault('unavailable_error', 'Loading model');
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://engine');
      const route = routes.get(`${request.method} ${pathname}`) ?? slotRoute(request, pathname);
      if (route === undefined) throw new HttpFault('not_found_error', 'File Not Found');
      await route({ engine, request, response, query: searchParams, signal });
    } catch (error) {
      if (gone.signal.aborted) return;
      const fault: unknown = stopping.signal.aborted ? stopping.signal.reason : error;
      if (!(fault instanceof HttpFault)) onFault(fault);
      sendFault(response, fault);
    }
  };

  const server = createServer((request, response) => {
    const served = serve(request, response).finally(() => inFlight.delete(served));
    inFlight.add(served);
  });
  return {
    server,
    ready(context) {
      engine = context;
    },
    async stop() {
      stopping.abort(new HttpFault('unavailable_error', 'the engine is shutting down'));
      await Promise.all(inFlight);
    },
  };
}

function createRoutes(startedAt: number): ReadonlyMap<string, Route> {
  const health: Route = ({ response }) => sendJson(response, 200, { status: 'ok' });
  const models: Route = ({ engine, response }) =>
    sendJson(response, 200, modelsObject(engine, startedAt));
  const complete: Route = async ({ engine, request, response, signal }) =>
    completion(engine, await readJsonBody(request), response, signal);
  return new Map<string, Route>([
    ['GET /health', health],
    ['GET /v1/health', health],
    ['GET /props', ({ engine, response }) => sendJson(response, 200, propsObject(engine))],
    ['GET /models', models],
    ['GET /v1/models', models],
    ['GET /slots', listSlots],
    ['GET /metrics', (call) => sendMetrics(call, startedAt)],
    ['POST /completion', complete],
    ['POST /completions', complete],
    [
      'POST /tokenize',
      async ({ engine, request, response }) =>
        sendJson(response, 200, tokenizeObject(engine, await readJsonBody(request))),
    ],
    [
      'POST /detokenize',
      async ({ engine, request, response }) =>
        sendJson(response, 200, detokenizeObject(engine, await readJsonBody(request))),
    ],
    [
      'POST /apply-template',
      async ({ engine, request, response }) =>
        sendJson(response, 200, { prompt: engine.template.render(await readJsonBody(request)) }),
    ],
  ]);
}

const listSlots: Route = ({ engine, response, query }) => {
  const { board, model } = engine;
  if (query.get('fail_on_no_slot') !== null && board.busyCount === board.slots.length) {
    throw new HttpFault('unavailable_error', 'no slot available');
  }
  sendJson(
    response,
    200,
    board.slots.map((slot) => slotObject(slot, model.ctx)),
  );
};

function sendMetrics({ engine, response }: Call, startedAt: number): void {
  const { board, metrics } = engine;
  const text = metrics.render({ processing: board.busyCount, deferred: board.deferredCount });
  send(response, 200, 'text/plain; version=0.0.4', text, {
    'process-start-time-unix': Math.floor(startedAt / 1000),
  });
}

function slotRoute(request: IncomingMessage, pathname: string): Route | undefined {
  const id = /^\/slots\/(\d{1,9})$/.exec(pathname)?.[1];
  return request.method === 'POST' && id !== undefined
    ? (call) => slotAction(call, Number(id))
    : undefined;
}

/** `POST /slots/{id}?action=erase`: waits until the slot is free, then drops its KV cache. */
async function slotAction({ engine, response, query, signal }: Call, id: number): Promise<void> {
  const action = query.get('action');
  if (action === 'save' || action === 'restore') {
    throw new HttpFault('not_supported_error', 'This server does not support slot files');
  }
  if (action !== 'erase') throw invalid('Invalid action');
  const { board } = engine;
  if (id >= board.slots.length) throw invalid('Invalid slot ID');
  const slot = await board.acquire([], id, signal);
  try {
    const erased = slot.sequence.length;
    slot.canonical = [];
    await slot.sequence.truncate(0);
    sendJson(response, 200, { id_slot: id, n_erased: erased });
  } finally {
    board.release(slot);
  }
}
