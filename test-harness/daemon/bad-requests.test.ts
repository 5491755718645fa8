/** Paths, methods, queries, headers and bytes that are wrong: a typed envelope, and the daemon stays well. */
import { randomUUID } from 'node:crypto';
import { OPERATIONS } from '@llama-orch/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { checkEnvelope } from '../src/contract-check.ts';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { exchange, parseAnswer } from '../src/raw-socket.ts';

let setUp: DaemonOverSim;
let daemon: DaemonProcess;
let sim: LlamaCppSim;

beforeAll(async () => {
  setUp = await startDaemonOverSim({ config: { server: { header_timeout_ms: 500 } } });
  ({ daemon, sim } = setUp);
});
afterAll(() => setUp[Symbol.asyncDispose]());

const pathsOf = (body: unknown) =>
  ((body as { details?: { path: string }[] }).details ?? []).map((detail) => detail.path);

describe('methods and paths', () => {
  const id = randomUUID();
  test.each([
    ['PUT', '/v1/tasks', 'GET, POST'],
    ['DELETE', '/v1/tasks', 'GET, POST'],
    ['PATCH', '/v1/tasks', 'GET, POST'],
    ['OPTIONS', '/v1/tasks', 'GET, POST'],
    ['TRACE', '/v1/tasks', 'GET, POST'],
    ['POST', `/v1/tasks/${id}`, 'GET'],
    ['DELETE', `/v1/tasks/${id}`, 'GET'],
    ['POST', `/v1/tasks/${id}/stream`, 'GET'],
    ['GET', `/v1/tasks/${id}/cancel`, 'POST'],
    ['POST', `/v1/sessions/${id}`, 'GET, DELETE'],
    ['GET', '/v1/pools/default/drain', 'POST'],
    ['GET', '/v1/pools/default/undrain', 'POST'],
    ['POST', '/v1/pools/default/health', 'GET'],
    ['POST', '/v1/capabilities', 'GET'],
    ['POST', '/v1/events', 'GET'],
    ['POST', '/healthz', 'GET'],
    ['POST', '/metrics', 'GET'],
  ])('%s %s is refused with 405 and Allow', async (method, path, allow) => {
    await daemon.client.refused(method, path, 405);
    const answer = await daemon.client.send(method, path);
    const allowed = String(answer.headers['allow']).split(', ');
    expect(allowed.filter((each) => each !== 'HEAD' && each !== 'OPTIONS').join(', ')).toBe(allow);
  });

  test('each path of the contract names its methods when it is asked with another', async () => {
    const methods = Map.groupBy(Object.values(OPERATIONS), (operation) => operation.path);
    for (const [path, operations] of methods) {
      const answer = await daemon.client.send('PATCH', path.replace(/\{\w+\}/, id));
      expect(answer.status, path).toBe(405);
      const named = String(answer.headers['allow']).split(', ').sort();
      expect(named, path).toEqual(operations.map(({ method }) => method).sort());
    }
  });

  test.each([
    '/',
    '/v2/tasks',
    '/v1/task',
    '/v1/tasks/%2e%2e/stream',
    `/v1/tasks/${id}`,
    `/v1/tasks/${id}/stream`,
    `/v1/tasks/${id.toUpperCase()}`,
    `/v1/sessions/${id}`,
    '/v1/pools/nobody/health',
    '/openapi/..%2f..%2fpackage.json',
    '/openapi/config.yaml',
  ])('GET %s is refused with 404', async (path) => {
    expect((await daemon.client.refused('GET', path, 404)).code).toBe('NOT_FOUND');
  });

  test.each([
    '/v1/tasks/not-a-uuid',
    '/v1/tasks/..%2f..%2f..%2fetc%2fpasswd',
    '/v1/tasks/%00',
    '/v1/tasks/__proto__',
    '/v1/sessions/x',
    '/v1/pools/__proto__/health',
    '/v1/pools/..%2f/health',
  ])('GET %s is refused with 400, since its id can be none', async (path) => {
    expect(pathsOf(await daemon.client.refused('GET', path, 400))).toEqual(['id']);
  });

  test('a cancel, a delete and a drain of what does not exist are refused with 404', async () => {
    await daemon.client.refused('POST', `/v1/tasks/${id}/cancel`, 404);
    await daemon.client.refused('DELETE', `/v1/sessions/${id}`, 404);
    await daemon.client.refused('POST', '/v1/pools/nobody/drain', 404, {
      body: { deadline_ms: 1 },
    });
  });

  test('a path with a broken percent escape is refused with 400', async () => {
    await daemon.client.refused('GET', '/v1/tasks/%E0%A4%A', 400);
  });

  test.each(['/healthz', '/v1/tasks', '/metrics', '/v1/pools/default/health'])(
    'HEAD %s answers like GET, without a body',
    async (path) => {
      const answer = await daemon.client.send('HEAD', path);
      expect(answer.status).toBe(200);
      expect(answer.text).toBe('');
    },
  );

  test('HEAD of a live stream ends at once', async () => {
    sim.addFault({ kind: 'stall', after_tokens: 1 });
    const { task_id: task } = await daemon.client.admit({ prompt: 'stalls' });
    const head = `HEAD /v1/tasks/${task}/stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    try {
      const text = await exchange(daemon.url, head, { withinMs: 2_000 });
      expect(parseAnswer(text).status).toBe(200);
    } finally {
      await daemon.client.cancel(task);
    }
  });

  test('a model that nobody serves is refused with 404 and its place', async () => {
    const answer = await daemon.client.call('createTask', {
      body: { prompt: 'p', model_ref: 'gpt' },
    });
    expect(answer.status).toBe(404);
    expect(pathsOf(answer.body)).toContain('/model_ref');
  });
});

describe('query parameters and headers', () => {
  test.each([
    ['/v1/tasks?limit=0', 'limit'],
    ['/v1/tasks?limit=201', 'limit'],
    ['/v1/tasks?limit=abc', 'limit'],
    ['/v1/tasks?limit=1e2', 'limit'],
    ['/v1/tasks?limit=1&limit=2', 'limit'],
    ['/v1/tasks?limit=', 'limit'],
    ['/v1/tasks?state=lost', 'state'],
    ['/v1/tasks?session_id=x', 'session_id'],
    ['/v1/tasks?priority[]=batch', 'priority[]'],
    ['/v1/tasks?cursor=%2a', 'cursor'],
    ['/v1/tasks?cursor=AAAA', 'cursor'],
    // It reads `t12x`.
    ['/v1/tasks?cursor=dDEyeA', 'cursor'],
    ['/v1/tasks?unknown=1', 'unknown'],
    ['/v1/events?after=-1', 'after'],
    ['/v1/events?after=99999999999999999999', 'after'],
    ['/v1/events?limit=1001', 'limit'],
    ['/v1/events?stream=yes', 'stream'],
    [`/v1/tasks/${randomUUID()}/stream?after=x`, 'after'],
  ])('GET %s is refused with 400', async (path, parameter) => {
    expect(pathsOf(await daemon.client.refused('GET', path, 400))).toContain(parameter);
  });

  test('POST with a wrong cancel_on_disconnect is refused', async () => {
    const error = await daemon.client.refused('POST', '/v1/tasks?cancel_on_disconnect=1', 400, {
      body: { prompt: 'p' },
    });
    expect(pathsOf(error)).toContain('cancel_on_disconnect');
  });

  test.each(['x', '-1', '1.5', '99999999999999999'])(
    'Last-Event-ID %s is refused',
    async (value) => {
      const { task_id: id } = await daemon.client.admit({ prompt: 'p' });
      const error = await daemon.client.refused('GET', `/v1/tasks/${id}/stream`, 400, {
        headers: { 'last-event-id': value },
      });
      expect(pathsOf(error).join()).toMatch(/last-event-id/i);
    },
  );

  test.each(['', 'with blank', 'x'.repeat(256)])('Idempotency-Key %j is refused', async (key) => {
    const error = await daemon.client.refused('POST', '/v1/tasks', 400, {
      body: { prompt: 'p' },
      headers: { 'idempotency-key': key },
    });
    expect(pathsOf(error).join()).toMatch(/idempotency-key/i);
  });

  test.each([
    ['taken', 'abc-123', true],
    ['taken at its longest', 'x'.repeat(128), true],
    ['replaced when too long', 'x'.repeat(129), false],
    ['replaced when it holds a blank', 'a b', false],
    ['replaced when empty', '', false],
  ])('OC-CTRL-2052 a correlation id is %s', async (_name, id, isTaken) => {
    const answer = await daemon.client.send('GET', '/healthz', {
      headers: { 'x-correlation-id': id },
    });
    const echoed = answer.headers['x-correlation-id'];
    if (isTaken) expect(echoed).toBe(id);
    else expect(echoed).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('a drain needs a deadline', async () => {
    for (const body of [
      {},
      { deadline_ms: -1 },
      { deadline_ms: '1' },
      { deadline_ms: 1, force: true },
    ]) {
      const answer = await daemon.client.call('drainPool', { path: ['default'], body });
      expect(answer.status).toBe(400);
    }
    expect((await daemon.client.poolHealth()).draining).toBe(false);
  });
});

describe('what is hardly HTTP', () => {
  const raw = async (bytes: string, end = false) =>
    parseAnswer(await exchange(daemon.url, bytes, { end }));

  test.each([
    ['garbage', '\u0000\u0001\u0002garbage\r\n\r\n'],
    ['a TLS hello', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\r\n\r\n'],
    ['an unknown method', 'FOO / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['an unknown version', 'GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n'],
    ['a header without colon', 'GET /healthz HTTP/1.1\r\nHost x\r\n\r\n'],
    [
      'two lengths',
      'POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc',
    ],
    [
      'a length beside chunks',
      'POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'a chunk that has no size',
      'POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    ],
  ])('%s is answered with an envelope', async (_name, bytes) => {
    const answer = await raw(bytes);
    expect(checkEnvelope(answer).code).toBe('INVALID_PARAMS');
    expect(answer.status).toBe(400);
    expect(answer.headers['connection']).toBe('close');
  });

  test('a request without Host is answered with an envelope', async () => {
    const answer = await raw('GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(checkEnvelope(answer)).toMatchObject({
      code: 'INVALID_PARAMS',
      details: [{ path: 'Host' }],
    });
  });

  test('an Expect that nobody knows is answered with an envelope', async () => {
    const answer = await raw(
      'POST /v1/tasks HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
    expect(checkEnvelope(answer).code).toBe('INVALID_PARAMS');
  });

  test('an upgrade to a protocol nobody speaks is answered', async () => {
    const answer = await raw(
      'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n',
    );
    expect([200, 400, 426]).toContain(answer.status);
  });

  test('headers beyond the limit are answered with 431', async () => {
    const answer = await raw(
      `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`,
    );
    expect(checkEnvelope(answer).code).toBe('INVALID_PARAMS');
    expect(answer.status).toBe(431);
  });

  test('a request that never ends is given up with 408', async () => {
    const answer = await raw('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    expect(answer.status).toBe(408);
    checkEnvelope(answer);
  });

  test('a body cut short is answered or hung up on, and never admitted', async () => {
    const before = (await daemon.client.tasks()).items[0]?.task_id;
    const received = await exchange(
      daemon.url,
      'POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"prompt":"p"}',
      { end: true },
    );
    if (received !== '') checkEnvelope(parseAnswer(received));
    expect((await daemon.client.tasks()).items[0]?.task_id).toBe(before);
  });
});

test('after all that the daemon is healthy and has logged no unexpected failure', async () => {
  const health = await daemon.client.call('getLiveness');
  expect(health.status).toBe(200);
  await daemon.client.run({ prompt: 'still here' });
  expect(daemon.logs().filter((line) => line['level'] === 'error')).toEqual([]);
});
