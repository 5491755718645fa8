/** Bodies that clients get wrong, on purpose or not: each time a typed envelope that names the place. */
import { gzipSync } from 'node:zlib';
import type { TaskRequest } from '@llama-orch/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkEnvelope } from '../src/contract-check.ts';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { exchange, parseAnswer } from '../src/raw-socket.ts';

let setUp: DaemonOverSim;
let daemon: DaemonProcess;

beforeAll(async () => {
  setUp = await startDaemonOverSim({ config: { server: { header_timeout_ms: 500 } } });
  ({ daemon } = setUp);
});
afterAll(() => setUp[Symbol.asyncDispose]());

const post = (rawBody: string | Buffer, headers: Record<string, string> = {}) =>
  daemon.client.call('createTask', { rawBody, headers });
const pathsOf = (body: unknown) =>
  ((body as { details?: { path: string }[] }).details ?? []).map((detail) => detail.path);

// What breaks a single keyword of the schema is generated from it: test-harness/generated-requests.
describe('OC-CTRL-2010 a body that is not a task is refused with the place that is at fault', () => {
  const task = { prompt: 'p' };
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['nothing to complete', {}, ''],
    ['two kinds of input', { prompt: 'p', messages: [{ role: 'user', content: 'c' }] }, ''],
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

/** More than the system's buffers hold of a body that nobody reads. */
const LONG = 50_000_000;

describe('large bodies', () => {
  test('10 MB is refused with 413', async () => {
    const answer = await post(JSON.stringify({ prompt: 'x'.repeat(10_000_000) }));
    expect(answer.status).toBe(413);
    expect(answer.body).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  test('OC-CTRL-2042 a length above the limit is refused before a byte of it has come', async () => {
    const head = [
      'POST /v1/tasks HTTP/1.1',
      'Host: x',
      'Content-Type: application/json',
      'Content-Length: 10000000',
    ].join('\r\n');
    const answer = parseAnswer(
      await exchange(daemon.url, `${head}\r\n\r\n`, { leavesEarly: true }),
    );
    expect(answer.status).toBe(413);
    expect(answer.body).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  test('OC-CTRL-2042 who reads nothing before all is sent is told too, and may go on', async () => {
    const head = `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: ${LONG}\r\n\r\n`;
    const next = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const bytes = Buffer.concat([Buffer.from(head), Buffer.alloc(LONG, 'x'), Buffer.from(next)]);
    const received = await exchange(daemon.url, bytes, { readsLate: true });
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
  });

  test('OC-CTRL-2042 who wants the connection closed can send everything all the same', async () => {
    const head = `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${LONG}\r\n\r\n`;
    const bytes = Buffer.concat([Buffer.from(head), Buffer.alloc(LONG, 'x')]);
    expect(await exchange(daemon.url, bytes, { readsLate: true })).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('OC-CTRL-2042 a connection on which the rest never comes is closed', async () => {
    const head = `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n`;
    expect(await exchange(daemon.url, head)).toMatch(/^HTTP\/1\.1 413 /);
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
