import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { collect, PATIENT, requestOf } from '../api/conformance-kit.ts';
import { openOpenAi } from './adapter.ts';

/** Servers that are like none of the simulated ones; the rest is in the conformance suite. */

interface Peer extends AsyncDisposable {
  readonly origin: string;
  /** Method and path of each request. */
  readonly asked: readonly string[];
  readonly keys: readonly (string | undefined)[];
}

type Answer = (req: IncomingMessage, res: ServerResponse) => void;

async function startPeer(answer: Answer): Promise<Peer> {
  const asked: string[] = [];
  const keys: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`);
    keys.push(req.headers.authorization);
    answer(req, res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    keys,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const status =
  (code: number, body = ''): Answer =>
  (_req, res) =>
    res.writeHead(code).end(body);

const openAt = ({ origin }: Peer, path = '/v1') =>
  openOpenAi({
    url: origin + path,
    timeouts: PATIENT,
    maxStreams: 2,
    model: 'm',
    apiKey: 'key',
  });
const never = new AbortController().signal;

test.each([
  ['/v1', '/v1/models', '/api/version'],
  ['/api/v1', '/api/v1/models', '/api/api/version'],
  ['/api/paas/v4', '/api/paas/v4/models', '/api/paas/v4/api/version'],
  ['', '/models', '/api/version'],
])('OC-ADAPT-5080 below %j the API is at %s', async (path, models, own) => {
  const list = JSON.stringify({ object: 'list', data: [{ id: 'm' }] });
  await using peer = await startPeer((req, res) =>
    status(req.url === models ? 200 : 404, list)(req, res),
  );
  await using adapter = openAt(peer, path);
  expect(await adapter.health()).toEqual({ state: 'ready' });
  expect(await adapter.props()).toMatchObject({ modelAlias: 'm', engineVersion: 'unknown' });
  expect(peer.asked).toContain(`GET ${own}`);
  expect(new Set(peer.keys)).toEqual(new Set(['Bearer key']));
});

test.each([
  [429, { state: 'ready' }, 'busy'],
  [503, { state: 'loading' }, 'busy'],
  [401, { state: 'down', reason: '/models answered 401' }, 'broken'],
  [500, { state: 'down', reason: '/models answered 500' }, 'broken'],
])('OC-ADAPT-5082 a server that answers %i to everything', async (code, health, fault) => {
  await using peer = await startPeer(status(code));
  await using adapter = openAt(peer);
  expect(await adapter.health()).toEqual(health);
  await expect(adapter.props()).rejects.toMatchObject({ fault });
});

test('OC-ADAPT-5081 a server too busy to say what it is is not taken for another', async () => {
  await using peer = await startPeer(status(503));
  await using adapter = openAt(peer);
  await expect(adapter.metrics()).rejects.toMatchObject({ fault: 'busy' });
  expect(peer.asked).toEqual(['GET /server_info']);
});

test('OC-ADAPT-5082 a list of models that is none is down', async () => {
  await using peer = await startPeer(status(200, '<html>'));
  await using adapter = openAt(peer);
  expect(await adapter.health()).toEqual({
    state: 'down',
    reason: '/models is no list of models',
  });
});

test('OC-ADAPT-5088 a server without embeddings refuses them for good, and ranks nothing', async () => {
  await using peer = await startPeer(status(404));
  await using adapter = openAt(peer);
  const ids = { taskId: 'task-1', correlationId: 'correlation-1' };
  await expect(adapter.embed({ ...ids, inputs: ['a'] }, never)).rejects.toMatchObject({
    fault: 'permanent',
    message: 'the server has no route for embeddings',
  });
  const asked = { ...ids, query: 'a', documents: ['b'], topN: undefined };
  await expect(adapter.rerank(asked, never)).rejects.toMatchObject({ fault: 'permanent' });
});

test('OC-ADAPT-5004 LM Studio’s 200 for a route it does not have is garbage', async () => {
  await using peer = await startPeer((_req, res) =>
    res
      .writeHead(200, { 'content-type': 'application/json' })
      .end('{"error":"Unexpected endpoint or method. (POST /v1/completions)"}'),
  );
  await using adapter = openAt(peer);
  const got = collect();
  await expect(adapter.submit(requestOf(), got.sink, never)).rejects.toMatchObject({
    fault: 'garbage',
  });
  expect(got.started).toBe(0);
});
