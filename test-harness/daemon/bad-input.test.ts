/** What clients get wrong, on purpose or not: each time a typed envelope, and the daemon stays well. */
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { TaskRequest } from '@llama-orch/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { checkEnvelope } from '../src/contract-check.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { exchange, parseAnswer } from '../src/raw-socket.ts';
import { externalPool } from '../src/temp-config.ts';

let sim: LlamaCppSim;
let daemon: DaemonProcess;

beforeAll(async () => {
  sim = await startLlamaCppSim();
  daemon = await startDaemon({
    config: { server: { header_timeout_ms: 500 }, pools: [externalPool([sim.url])] },
  });
  await daemon.client.untilReady(1);
});
afterAll(async () => {
  // The daemon first: it must not see its engine vanish.
  await daemon[Symbol.asyncDispose]();
  await sim[Symbol.asyncDispose]();
});

const post = (rawBody: string | Buffer, headers: Record<string, string> = {}) =>
  daemon.client.call('createTask', { rawBody, headers });
const pathsOf = (body: unknown) =>
  ((body as { details?: { path: string }[] }).details ?? []).map((detail) => detail.path);

describe('a body that is not a task is refused with the place that is at fault', () => {
  const task = { prompt: 'p' };
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['nothing to complete', {}, ''],
    ['a misspelt field', { promt: 'p' }, '/promt'],
    ['a number for text', { prompt: 1 }, '/prompt'],
    ['null for text', { prompt: null }, '/prompt'],
    ['an empty prompt', { prompt: '' }, '/prompt'],
    ['two kinds of input', { prompt: 'p', messages: [{ role: 'user', content: 'c' }] }, ''],
    ['an unknown role', { messages: [{ role: 'robot', content: 'c' }] }, '/messages/0/role'],
    ['a message without content', { messages: [{ role: 'user' }] }, '/messages/0/content'],
    ['no messages', { messages: [] }, '/messages'],
    ['a task_id that is no UUID', { ...task, task_id: '../../etc/passwd' }, '/task_id'],
    ['a session_id that is no UUID', { ...task, session_id: 'x' }, '/session_id'],
    ['an unknown priority', { ...task, priority: 'urgent' }, '/priority'],
    ['an unknown workload', { ...task, workload: 'dream' }, '/workload'],
    ['an unknown engine', { ...task, engine: 'abacus' }, '/engine'],
    ['a seed with a fraction', { ...task, seed: 1.5 }, '/seed'],
    ['a seed in quotes', { ...task, seed: '1' }, '/seed'],
    ['zero tokens', { ...task, max_tokens: 0 }, '/max_tokens'],
    ['a negative deadline', { ...task, deadline_ms: -1 }, '/deadline_ms'],
    ['a temperature in quotes', { ...task, temperature: '0' }, '/temperature'],
    ['a temperature above the range', { ...task, temperature: 9 }, '/temperature'],
    ['a stop that is no list', { ...task, stop: 'x' }, '/stop'],
    ['an empty stop text', { ...task, stop: [''] }, '/stop/0'],
    ['metadata that is no text', { ...task, metadata: { a: 1 } }, '/metadata/a'],
    ['a context above the pool', { ...task, ctx: 100_000 }, '/ctx'],
    ['a prompt longer than the context', { prompt: 'x'.repeat(5_000) }, '/prompt'],
    [
      'messages longer than the context',
      { messages: [{ role: 'user', content: 'x'.repeat(5_000) }] },
      '/messages',
    ],
    ['more tokens than the context', { ...task, max_tokens: 100_000 }, '/max_tokens'],
    ['a schema beside a grammar', { ...task, grammar: 'g', json_schema: {} }, '/json_schema'],
    ['a workload nobody serves', { workload: 'embedding', inputs: ['a'] }, '/workload'],
    ['a rerank field on a completion', { ...task, query: 'q' }, '/query'],
  ];
  test.each(cases)('%s', async (_name, body, path) => {
    const answer = await daemon.client.call('createTask', { body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'INVALID_PARAMS', retriable: false });
    expect(pathsOf(answer.body)).toContain(path);
  });

  test.each([
    ['an array', '[]'],
    ['a text', '"prompt"'],
    ['a number', '1'],
    ['null', 'null'],
  ])('%s instead of an object', async (_name, body) => {
    expect((await post(body)).status).toBe(400);
  });
});

describe('a body that is not JSON is refused', () => {
  test.each([
    ['cut off', '{"prompt":"p"'],
    ['NaN', '{"prompt":"p","temperature":NaN}'],
    ['Infinity', '{"prompt":"p","temperature":Infinity}'],
    ['a comment', '{"prompt":"p"/* */}'],
    ['single quotes', "{'prompt':'p'}"],
    ['two values', '{"prompt":"p"}{"prompt":"q"}'],
    ['only blanks', '   '],
    ['a control character in a text', '{"prompt":"a\u0001b"}'],
    ['HTML', '<html></html>'],
  ])('%s', async (_name, body) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'INVALID_PARAMS' });
  });

  test('an empty body', async () => {
    expect((await post('')).status).toBe(400);
  });

  test('invalid UTF-8', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"prompt":"'),
      Buffer.of(0xc3, 0x28),
      Buffer.from('"}'),
    ]);
    expect((await post(bytes)).status).toBe(400);
  });

  test('UTF-16', async () => {
    const bytes = Buffer.from('{"prompt":"p"}', 'utf16le');
    const answer = await post(bytes, { 'content-type': 'application/json; charset=utf-16le' });
    expect([400, 415]).toContain(answer.status);
  });

  test.each(['[', '{"a":'])('100,000 levels of %s', async (bracket) => {
    const answer = await post(bracket.repeat(100_000));
    expect(answer.status).toBe(400);
  });

  test('100,000 levels inside json_schema, well closed', async () => {
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    expect((await post(`{"prompt":"p","json_schema":${deep}}`)).status).toBe(400);
  });
});

describe('large bodies', () => {
  test('10 MB is refused with 413', async () => {
    const answer = await post(JSON.stringify({ prompt: 'x'.repeat(10_000_000) }));
    expect(answer.status).toBe(413);
    expect(answer.body).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  test('a compressed bomb is refused with 413', async () => {
    const answer = await post(gzipSync(Buffer.alloc(50_000_000, 0x20)), {
      'content-encoding': 'gzip',
    });
    expect(answer.status).toBe(413);
  });

  test('10,000 fields are refused with one of them', async () => {
    const fields = Array.from({ length: 10_000 }, (_, n) => [`field${n}`, n]);
    const body = { prompt: 'p', ...(Object.fromEntries(fields) as object) };
    const answer = await daemon.client.call('createTask', { body });
    expect(answer.status).toBe(400);
    expect(pathsOf(answer.body)[0]).toMatch(/^\/field\d+$/);
  });

  test('10,000 wrong messages are refused', async () => {
    const answer = await daemon.client.call('createTask', {
      body: { messages: Array.from({ length: 10_000 }, () => 1) },
    });
    expect(answer.status).toBe(400);
  });
});

describe('content types and encodings', () => {
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'x',
    '',
  ])('content-type %j is refused with 415', async (type) => {
    const answer = await post('{"prompt":"p"}', { 'content-type': type });
    expect(answer.status).toBe(415);
    expect(pathsOf(answer.body).join()).toMatch(/content-type/i);
  });

  test('a request without content-type is refused with 415', async () => {
    const body = '{"prompt":"p"}';
    const head = `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}`;
    const answer = parseAnswer(await exchange(daemon.url, `${head}\r\n\r\n${body}`));
    expect(checkEnvelope(answer).code).toBe('INVALID_PARAMS');
    expect(answer.status).toBe(415);
  });

  test('a gzip body that is one is taken', async () => {
    const answer = await post(gzipSync('{"prompt":"p"}'), { 'content-encoding': 'gzip' });
    expect(answer.status).toBe(202);
  });

  test('a gzip body that is none is refused', async () => {
    const answer = await post('{"prompt":"p"}', { 'content-encoding': 'gzip' });
    expect(answer.status).toBe(400);
  });

  test('an unknown encoding is refused with 415', async () => {
    expect((await post('{"prompt":"p"}', { 'content-encoding': 'rot13' })).status).toBe(415);
  });
});

describe('keys with a meaning in JavaScript are fields like any other', () => {
  test.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'field %s is unknown',
    async (key) => {
      const answer = await post(`{"prompt":"p","${key}":{"polluted":1}}`);
      expect(answer.status).toBe(400);
      expect(pathsOf(answer.body)).toContain(`/${key}`);
    },
  );

  test.each(['__proto__', 'constructor', 'toString'])(
    'query parameter %s is unknown',
    async (key) => {
      const error = await daemon.client.refused('GET', `/v1/tasks?${key}=1`, 400);
      expect(pathsOf(error)).toContain(key);
    },
  );

  test('metadata keys and values come back as they were sent', async () => {
    const metadata = { constructor: 'a', toString: 'b', 'x.y/z:1': 'c' };
    const { task_id: id } = await daemon.client.admit({ prompt: 'p', metadata });
    expect((await daemon.client.untilEnded(id)).metadata).toEqual(metadata);
  });

  test('of a duplicate key the last value counts, as JSON.parse has it', async () => {
    const answer = await post('{"prompt":"a","seed":1,"seed":9007199254740993,"prompt":"b"}');
    expect(answer.status).toBe(202);
    expect(answer.text).toContain('9007199254740993');
  });
});

describe('texts at the edge', () => {
  test.each([
    ['a lone surrogate', '{"prompt":"a\\ud800b"}'],
    ['a NUL', '{"prompt":"a\\u0000b"}'],
    ['line separators', '{"prompt":"a\\u2028\\u2029b"}'],
    ['a byte order mark inside', '{"prompt":"\\ufeffb"}'],
  ])('a prompt with %s ends well', async (_name, body) => {
    const answer = await post(body);
    expect(answer.status).toBe(202);
    const { task_id: id } = answer.body as { task_id: string };
    expect((await daemon.client.untilEnded(id)).state).toBe('completed');
  });
});

describe('int64 seeds', () => {
  test.each(['9223372036854775808', '-9223372036854775809', '9.3e18', '1e30', '-1e19'])(
    '%s is out of range',
    async (seed) => {
      const answer = await post(`{"prompt":"p","seed":${seed}}`);
      expect(answer.status).toBe(400);
      expect(pathsOf(answer.body)).toContain('/seed');
    },
  );

  test('2^63 in scientific notation is out of range as well', async () => {
    const answer = await post('{"prompt":"p","seed":9.223372036854775808e18}');
    expect(answer.status).toBe(400);
  });
});

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
  });

  test('a request without Host is answered with an envelope', async () => {
    const answer = await raw('GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(checkEnvelope(answer).code).toBe('INVALID_PARAMS');
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

test('bad and good requests in parallel each get their own answer', async () => {
  const bodies: readonly (readonly [TaskRequest | object, number])[] = [
    [{ prompt: 'good' }, 202],
    [{ prompt: 1 }, 400],
    [{ prompt: 'p', model_ref: 'none' }, 404],
    [{ prompt: 'x'.repeat(2_000_000) }, 413],
  ];
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const [body, status] = bodies[n % bodies.length] ?? [{}, 0];
      const headers = { 'x-correlation-id': `parallel-${n}` };
      const answer = await daemon.client.call('createTask', { body, headers });
      return { status: answer.status, expected: status };
    }),
  );
  for (const { status, expected } of answers) expect(status).toBe(expected);
});

test('after all that the daemon is healthy and has logged no unexpected failure', async () => {
  const health = await daemon.client.call('getLiveness');
  expect(health.status).toBe(200);
  await daemon.client.run({ prompt: 'still here' });
  expect(daemon.logs().filter((line) => line['level'] === 'error')).toEqual([]);
});
