import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { until } from '../../testing/until.ts';
import { Gateway } from './gateway.ts';

const LEASE = '7.secret';
const AUTHORIZED = { 'x-llama-orch-lease': LEASE };

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end();
});

interface Engine {
  readonly url: string;
  readonly requests: { readonly req: IncomingMessage; readonly res: ServerResponse }[];
  readonly sockets: Set<Socket>;
}

/** An engine that lives in the test: `serve` answers, or leaves the answer to the test. */
async function startEngine(
  serve: (req: IncomingMessage, res: ServerResponse) => void = () => undefined,
): Promise<Engine> {
  const requests: Engine['requests'] = [];
  const sockets = new Set<Socket>();
  const server = createServer((req, res) => {
    requests.push({ req, res });
    serve(req, res);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests, sockets };
}

async function startGateway(engineUrl: string, bodyLimitBytes = 1024) {
  const live = { credential: LEASE };
  const gateway = new Gateway({
    host: '127.0.0.1',
    port: 0,
    bodyLimitBytes,
    authorize: (replicaId, credential) =>
      replicaId === 'gpu-a.default-0' && credential === live.credential
        ? { url: engineUrl, apiKey: 'engine-key' }
        : undefined,
  });
  await gateway.listen();
  const agent = new Agent();
  cleanUp.push(
    () => gateway.close(),
    () => agent.destroy(),
  );
  const call = (path: string, options: Parameters<typeof request>[1] = {}) =>
    request(`${gateway.url}/replicas/gpu-a.default-0${path}`, {
      headers: AUTHORIZED,
      dispatcher: agent,
      ...options,
    });
  return { gateway, call, live };
}

test('OC-POOL-3122 method, path, query, body, status and headers go through as they are', async () => {
  const engine = await startEngine((req, res) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer);
      res.writeHead(418, { 'x-engine': 'yes', 'content-type': 'text/plain' });
      res.end(`${req.method} ${req.url} ${Buffer.concat(chunks).toString()}`);
    })();
  });
  const { call } = await startGateway(`${engine.url}/base`);
  const answer = await call('/slots/1?action=erase', {
    method: 'POST',
    body: 'what I say',
    headers: { ...AUTHORIZED, 'x-correlation-id': 'c-1' },
  });
  expect(answer.statusCode).toBe(418);
  expect(answer.headers).toMatchObject({ 'x-engine': 'yes', 'content-type': 'text/plain' });
  expect(await answer.body.text()).toBe('POST /base/slots/1?action=erase what I say');
  expect(engine.requests[0]?.req.headers).toMatchObject({
    'x-correlation-id': 'c-1',
    authorization: 'Bearer engine-key',
  });
});

test('OC-POOL-3123 neither the lease nor hop-by-hop headers reach the engine', async () => {
  const engine = await startEngine((_req, res) => {
    res.writeHead(200, { 'keep-alive': 'timeout=1', connection: 'x-private', 'x-private': '1' });
    res.end();
  });
  const { gateway } = await startGateway(engine.url);
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    'GET /replicas/gpu-a.default-0/health HTTP/1.1\r\nHost: gateway\r\nTE: trailers\r\n' +
      `X-Llama-Orch-Lease: ${LEASE}\r\nX-Llama-Orch-Request: r\r\nX-Mine: 1\r\n` +
      'Proxy-Authorization: no\r\nConnection: close, X-Mine\r\n\r\n',
  );
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  const sent = Object.keys(engine.requests[0]?.req.headers ?? {});
  for (const name of ['te', 'x-llama-orch-lease', 'x-llama-orch-request', 'x-mine']) {
    expect(sent).not.toContain(name);
  }
  expect(sent).not.toContain('proxy-authorization');
  expect(engine.requests[0]?.req.headers.host).toBe(new URL(engine.url).host);
  expect(answer).not.toContain('x-private');
});

test.each([
  ['no lease', {}, 409],
  ['another token', { 'x-llama-orch-lease': '6.secret' }, 409],
  ['another secret', { 'x-llama-orch-lease': '7.secres' }, 409],
] as const)(
  'OC-POOL-3120 a request with %s never reaches the engine',
  async (_, headers, status) => {
    const engine = await startEngine();
    const { call } = await startGateway(engine.url);
    const answer = await call('/completion', { method: 'POST', body: '{}', headers });
    expect(answer.statusCode).toBe(status);
    expect(await answer.body.json()).toMatchObject({ code: 'CONFLICT', retriable: true });
    expect(engine.requests).toHaveLength(0);
  },
);

test('OC-POOL-3123 bodies beyond the limit, or without a length, are refused', async () => {
  const engine = await startEngine();
  const { call } = await startGateway(engine.url);
  const large = await call('/completion', { method: 'POST', body: 'x'.repeat(1025) });
  expect(large.statusCode).toBe(413);
  await large.body.dump();
  const chunked = await call('/completion', {
    method: 'POST',
    body: Readable.from(['x']),
  });
  expect(chunked.statusCode).toBe(411);
  await chunked.body.dump();
  expect(engine.requests).toHaveLength(0);
});

test('OC-POOL-3122 a head and each chunk arrive as they are sent', async () => {
  const engine = await startEngine((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  });
  const { call } = await startGateway(engine.url);
  const answer = await call('/completion');
  expect(answer.headers['content-type']).toBe('text/event-stream');
  const reader = answer.body[Symbol.asyncIterator]();
  for (const piece of ['data: 1\n\n', 'data: 2\n\n']) {
    engine.requests[0]?.res.write(piece);
    expect(String((await reader.next()).value)).toBe(piece);
  }
  engine.requests[0]?.res.end();
  expect((await reader.next()).done).toBe(true);
});

test('OC-POOL-3122 an engine is read no faster than its caller reads', async () => {
  const total = 64 * 1024 * 1024;
  let written = 0;
  const engine = await startEngine((_req, res) => {
    const chunk = Buffer.alloc(256 * 1024, 'x');
    const fill = (): void => {
      while (written < total) {
        written += chunk.length;
        if (!res.write(chunk)) return void res.once('drain', fill);
      }
      res.end();
    };
    fill();
  });
  const { call } = await startGateway(engine.url);
  const answer = await call('/completion', { highWaterMark: 16 * 1024 });
  const stalled = async (): Promise<number> => {
    for (let last = -1; last !== written; await new Promise((wake) => setTimeout(wake, 200))) {
      last = written;
    }
    return written;
  };
  // What the sockets' buffers on the way hold, and no more.
  expect(await stalled()).toBeLessThan(total / 2);
  let read = 0;
  for await (const chunk of answer.body) read += (chunk as Buffer).length;
  expect(read).toBe(total);
});

test.each([
  ['GET', undefined],
  ['POST', '{"prompt":"p"}'],
] as const)(
  'a caller who leaves a %s takes the engine’s connection along',
  async (method, body) => {
    const engine = await startEngine((_req, res) => {
      res.writeHead(200).write('data: 1\n\n');
    });
    const { call, gateway } = await startGateway(engine.url);
    const answer = await call('/completion', { method, body: body ?? null });
    answer.body.on('error', () => undefined);
    answer.body.destroy();
    await until('the engine lost its caller', () => engine.sockets.size === 0);
    expect(gateway.exchanges).toBe(0);
  },
);

test('OC-POOL-3122 an engine that breaks off in mid-stream breaks its caller off, behind what it said', async () => {
  const engine = await startEngine((_req, res) => {
    res.writeHead(200).write('data: 1\n\n');
  });
  const { call } = await startGateway(engine.url);
  const answer = await call('/completion');
  let said = '';
  const reading = (async () => {
    for await (const chunk of answer.body) {
      said += String(chunk);
      for (const socket of engine.sockets) socket.resetAndDestroy();
    }
  })();
  await expect(reading).rejects.toThrow();
  expect(said).toBe('data: 1\n\n');
});

test('a caller who leaves in the middle of a body leaves nothing behind', async () => {
  const engine = await startEngine();
  const { gateway } = await startGateway(engine.url);
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    'POST /replicas/gpu-a.default-0/completion HTTP/1.1\r\nHost: gateway\r\n' +
      `X-Llama-Orch-Lease: ${LEASE}\r\nContent-Length: 100\r\n\r\nhalf`,
  );
  await until('the engine is asked', () => engine.requests.length === 1);
  socket.resetAndDestroy();
  await until('the engine lost its caller', () => engine.sockets.size === 0);
  expect(gateway.exchanges).toBe(0);
});

test('an engine that is not there breaks its caller off too', async () => {
  const { call, gateway } = await startGateway('http://127.0.0.1:9');
  await expect(call('/health')).rejects.toThrow();
  expect(gateway.exchanges).toBe(0);
});

test('OC-POOL-3121 the end of a lease cuts every connection under it, on both sides', async () => {
  const engine = await startEngine((_req, res) => {
    res.writeHead(200).write('data: 1\n\n');
  });
  const { call, gateway, live } = await startGateway(engine.url);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      call('/completion', n % 2 === 0 ? {} : { method: 'POST', body: '{}' }),
    ),
  );
  const broken = answers.map((answer) => expect(answer.body.text()).rejects.toThrow());
  live.credential = '8.other';
  gateway.cut('gpu-a.default-0');
  await Promise.all(broken);
  await until('the engine lost its callers', () => engine.sockets.size === 0);
  expect(gateway.exchanges).toBe(0);
  const stale = await call('/completion');
  expect(stale.statusCode).toBe(409);
  await stale.body.dump();
  const fresh = await call('/completion', { headers: { 'x-llama-orch-lease': '8.other' } });
  expect(fresh.statusCode).toBe(200);
  fresh.body.on('error', () => undefined).destroy();
});

test('OC-POOL-3124 a request that was ended is cut off, and one that comes late never starts', async () => {
  const engine = await startEngine((_req, res) => {
    res.writeHead(200).write('data: 1\n\n');
  });
  const { call, gateway } = await startGateway(engine.url);
  const under = (id: string) =>
    call('/completion', { headers: { ...AUTHORIZED, 'x-llama-orch-request': id } });
  const [one, other] = await Promise.all([under('one'), under('other')]);
  const broken = expect(one.body.text()).rejects.toThrow();
  gateway.end('one');
  gateway.end('late');
  await broken;
  expect(gateway.exchanges).toBe(1);
  const late = await under('late');
  expect(late.statusCode).toBe(409);
  await late.body.dump();
  other.body.on('error', () => undefined).destroy();
  await until('both ended', () => gateway.exchanges === 0);
});

test('an engine that moved is met at its new address', async () => {
  const engines = await Promise.all(
    ['one', 'two'].map((name) => startEngine((_req, res) => void res.end(name))),
  );
  let current = 0;
  const gateway = new Gateway({
    host: '127.0.0.1',
    port: 0,
    bodyLimitBytes: 10,
    authorize: () => ({ url: engines[current]?.url ?? '' }),
  });
  await gateway.listen();
  cleanUp.push(() => gateway.close());
  for (const name of ['one', 'two']) {
    const answer = await request(`${gateway.url}/replicas/r/health`, { headers: AUTHORIZED });
    expect(await answer.body.text()).toBe(name);
    current += 1;
  }
});

test('closing leaves no socket behind, and is safe twice', async () => {
  const engine = await startEngine((_req, res) => {
    res.writeHead(200).write('data: 1\n\n');
  });
  const { call, gateway } = await startGateway(engine.url);
  const answer = await call('/completion');
  const broken = expect(answer.body.text()).rejects.toThrow();
  await gateway.close();
  await gateway.close();
  await broken;
  await until('the engine lost its caller', () => engine.sockets.size === 0);
});
