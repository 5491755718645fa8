import { connect } from 'node:net';

import type { ErrorEnvelope, KeyConfig } from '@llama-orch/contracts';
import { Router, type Response } from 'express';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Scope } from '../auth/identity.ts';
import { KeyRing, hashKey, makeKey } from '../auth/key-ring.ts';
import { RateLimits } from '../auth/tenants.ts';
import type { Clock } from '../clock.ts';
import { createApp } from './app.ts';
import { allow, identityOf, limitRate } from './authenticate.ts';
import { readBody } from './request-body.ts';
import { listen, type HttpServer } from './server.ts';

const keys = {
  writer: makeKey(),
  reader: makeKey(),
  operator: makeKey(),
  admin: makeKey(),
  limited: makeKey(),
};
const known = (id: keyof typeof keys, tenant: string, ...scopes: Scope[]): KeyConfig => ({
  id,
  tenant,
  scopes,
  sha256: hashKey(keys[id]).toString('hex'),
});
const ring = new KeyRing([
  known('writer', 'acme', 'tasks:write'),
  known('reader', 'acme', 'tasks:read'),
  known('operator', 'ops', 'control:read'),
  known('admin', 'ops', 'admin'),
  known('limited', 'slow', 'tasks:write'),
]);

let nowMs = 0;
const clock: Clock = { now: () => nowMs, setTimer: () => () => undefined };
const lines: string[] = [];
const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
/** Bodies that a route was given. */
const bodies: number[] = [];
let guarded: HttpServer;
let keyless: HttpServer;

function serve(keyRing: KeyRing | undefined): Promise<HttpServer> {
  const limits = new RateLimits([
    { id: 'slow', weight: 1, maxConcurrent: undefined, rateLimit: { rps: 2, burst: 1 } },
  ]);
  const router = Router();
  router.get('/healthz', (_req, res) => void res.json({ status: 'ok' }));
  router.get('/v1/capabilities', allow('getCapabilities'), (_req, res) => {
    res.json({ tenant: identityOf(res).tenantId, key: identityOf(res).keyId });
  });
  router.get('/v1/tasks', allow('listTasks'), (_req, res) => void res.json({}));
  router.post(
    '/v1/tasks',
    allow('createTask'),
    limitRate({ limits, clock }),
    readBody(1_000_000),
    (req, res) => {
      bodies.push((req.body as Buffer).length);
      res.status(202).json({});
    },
  );
  router.get('/metrics', allow('getMetrics'), (_req, res) => void res.json({}));
  const app = createApp({ keys: keyRing, log, routers: [router] });
  return listen(app, { host: '127.0.0.1', port: 0, headerTimeoutMs: 5_000, idleTimeoutMs: 5_000 });
}

beforeAll(async () => {
  guarded = await serve(ring);
  keyless = await serve(undefined);
});
afterAll(async () => {
  await guarded.close(0);
  await keyless.close(0);
});
beforeEach(() => {
  bodies.length = 0;
  lines.length = 0;
});

interface Call {
  readonly method?: string;
  readonly key?: string;
  readonly authorization?: string;
  readonly server?: HttpServer;
  readonly body?: string;
}

async function call(path: string, options: Call = {}) {
  const { key, authorization = key === undefined ? undefined : `Bearer ${key}` } = options;
  const response = await fetch(`${(options.server ?? guarded).url}${path}`, {
    method: options.method ?? 'GET',
    headers: authorization === undefined ? {} : { authorization },
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  const { status, headers } = response;
  const body = (await response.json()) as ErrorEnvelope & Record<string, unknown>;
  return { status, headers, body, code: body.code };
}

describe('OC-CTRL-2040 a key', () => {
  test.each([
    ['none', undefined, 'Bearer'],
    ['an empty one', '', 'Bearer error="invalid_token"'],
    ['no token', 'Bearer', 'Bearer error="invalid_token"'],
    ['another scheme', `Basic ${keys.reader}`, 'Bearer error="invalid_token"'],
    ['an unknown key', `Bearer ${makeKey()}`, 'Bearer error="invalid_token"'],
    ['two keys', `Bearer ${keys.reader} ${keys.reader}`, 'Bearer error="invalid_token"'],
    ['a key in quotes', `Bearer "${keys.reader}"`, 'Bearer error="invalid_token"'],
    ['a very long key', `Bearer ${'A'.repeat(10_000)}`, 'Bearer error="invalid_token"'],
  ])('%s is refused with 401 and WWW-Authenticate', async (_, authorization, challenge) => {
    const options = authorization === undefined ? {} : { authorization };
    const { status, code, headers } = await call('/v1/tasks', options);
    expect({ status, code }).toEqual({ status: 401, code: 'UNAUTHORIZED' });
    expect(headers.get('www-authenticate')).toBe(challenge);
  });

  test.each(['Bearer', 'bearer', 'BEARER', 'Bearer  '])('is taken after %j', async (scheme) => {
    const { status } = await call('/v1/tasks', { authorization: `${scheme} ${keys.reader}` });
    expect(status).toBe(200);
  });

  test('names the tenant and itself', async () => {
    const { body } = await call('/v1/capabilities', { key: keys.operator });
    expect(body).toEqual({ tenant: 'ops', key: 'operator' });
  });

  test.each(['/v1/nothing', '/', '/HEALTHZ', '/healthz/', '/V1/TASKS', '//v1/tasks'])(
    'is needed for %s, which nobody left open',
    async (path) => {
      expect((await call(path)).code).toBe('UNAUTHORIZED');
    },
  );

  test('is not needed for what the contract leaves open, and does no harm there', async () => {
    expect((await call('/healthz')).status).toBe(200);
    expect((await call('/healthz', { authorization: 'Bearer wrong' })).status).toBe(200);
  });

  test('is not asked for while none is configured: everyone is the tenant default', async () => {
    const { body } = await call('/v1/capabilities', { server: keyless });
    expect(body).toEqual({ tenant: 'default' });
    for (const path of ['/v1/tasks', '/metrics']) {
      expect((await call(path, { server: keyless })).status).toBe(200);
    }
  });
});

describe('OC-CTRL-2040 a scope', () => {
  test.each<[keyof typeof keys, string, number]>([
    ['writer', '/v1/tasks', 403],
    ['reader', '/v1/tasks', 200],
    ['operator', '/v1/tasks', 403],
    ['admin', '/v1/tasks', 200],
    ['reader', '/metrics', 403],
    ['operator', '/metrics', 200],
    ['admin', '/metrics', 200],
    ['writer', '/v1/capabilities', 200],
    ['reader', '/V1/Tasks/', 200],
    ['writer', '/V1/Tasks/', 403],
  ])('of %s for %s gives %i', async (id, path, status) => {
    expect((await call(path, { key: keys[id] })).status).toBe(status);
  });

  test('that is missing is named', async () => {
    const { code, body, headers } = await call('/v1/tasks', { key: keys.writer });
    expect(code).toBe('FORBIDDEN');
    expect(body.message).toContain('tasks:read');
    expect(headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="tasks:read"',
    );
  });

  test('is checked for HEAD as for GET', async () => {
    const headers = { authorization: `Bearer ${keys.writer}` };
    expect((await fetch(`${guarded.url}/v1/tasks`, { method: 'HEAD', headers })).status).toBe(403);
  });
});

describe('OC-CTRL-2046 a rate', () => {
  const post = (key: string) => call('/v1/tasks', { method: 'POST', key, body: '{}' });

  test('ORCH-3006 that is exceeded gives 429 with the wait, and the body is not read', async () => {
    nowMs = 10_000;
    expect((await post(keys.limited)).status).toBe(202);
    nowMs += 100;
    const { status, body, headers } = await post(keys.limited);
    expect(status).toBe(429);
    expect(body).toMatchObject({
      code: 'RATE_LIMITED',
      policy_label: 'rate-limit',
      retriable: true,
      retry_after_ms: 400,
    });
    expect(headers.get('retry-after')).toBe('1');
    expect(headers.get('x-backoff-ms')).toBe('400');
    expect(bodies).toEqual([2]);
    nowMs += 400;
    expect((await post(keys.limited)).status).toBe(202);
  });

  test('is not spent by calls that a key may not make', async () => {
    nowMs = 20_000;
    expect((await call('/v1/tasks', { key: keys.limited })).status).toBe(403);
    expect((await post(keys.reader)).status).toBe(403);
    expect((await post(keys.limited)).status).toBe(202);
  });
});

describe('OC-CTRL-2041 the log', () => {
  test('tells a refusal with tenant and key id, and neither the key nor its hash', async () => {
    const stranger = makeKey();
    await call('/v1/tasks', { key: keys.writer });
    await call('/v1/tasks', { key: stranger });
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(logged).toMatchObject([
      { msg: 'request refused', code: 'FORBIDDEN', tenant_id: 'acme', key_id: 'writer' },
      { msg: 'request refused', code: 'UNAUTHORIZED' },
    ]);
    for (const key of [keys.writer, stranger]) {
      expect(lines.join()).not.toContain(key);
      expect(lines.join()).not.toContain(hashKey(key).toString('hex'));
    }
  });
});

describe('OC-CTRL-2042 a body', () => {
  const head = (...fields: string[]) =>
    ['POST /v1/tasks HTTP/1.1', 'Host: x', ...fields, '', ''].join('\r\n');
  const bearer = `Authorization: Bearer ${keys.writer}`;

  test.each([
    ['that is announced as long', `${head('Content-Length: 50000000')}${'x'.repeat(1_000)}`],
    ['of unknown length', `${head('Transfer-Encoding: chunked')}5\r\nhello\r\n`],
  ])('%s is refused before it has come, and the connection ends', async (_, bytes) => {
    expect(await exchange(bytes)).toMatch(/^HTTP\/1\.1 401 /);
  });

  test('of a key that lacks the scope, or is too fast, is refused before it has come', async () => {
    nowMs = 30_000;
    const long = (key: string) =>
      exchange(head(`Authorization: Bearer ${key}`, 'Content-Length: 50000000'));
    expect(await long(keys.reader)).toMatch(/^HTTP\/1\.1 403 /);
    expect(
      (await call('/v1/tasks', { method: 'POST', key: keys.limited, body: '{}' })).status,
    ).toBe(202);
    expect(await long(keys.limited)).toMatch(/^HTTP\/1\.1 429 /);
  });

  test('of fifty megabytes does not keep its sender from reading the refusal', async () => {
    const { status } = await call('/v1/tasks', { method: 'POST', body: 'x'.repeat(50_000_000) });
    expect(status).toBe(401);
  });

  test('that is small and refused is skipped, and the connection serves on', async () => {
    const refused = `${head('Content-Length: 5')}hello`;
    const next = `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    const answers = await exchange(refused + next);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 401', 'HTTP/1.1 200']);
  });

  test('that waits to be asked for is asked for when it is welcome', async () => {
    const expects = ['Content-Length: 5', 'Expect: 100-continue', 'Connection: close'];
    const answers = await exchange(head(bearer, ...expects), { on100: 'hello' });
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 202']);
    expect(bodies).toEqual([5]);
  });

  test('that waits to be asked for is not asked for when it is not', async () => {
    const answers = await exchange(head('Content-Length: 5', 'Expect: 100-continue'));
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 401']);
  });
});

/** Sends bytes, and more once a 100 has come; resolves with all that came when the daemon hangs up. */
function exchange(bytes: string, options: { readonly on100?: string } = {}): Promise<string> {
  const { hostname, port } = new URL(guarded.url);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes));
    socket.setEncoding('latin1').on('data', (text: string) => {
      if (received === '' && text.startsWith('HTTP/1.1 100')) socket.write(options.on100 ?? '');
      received += text;
    });
    socket.setTimeout(3_000, () => socket.destroy(new Error(`still open after ${received}`)));
    socket.on('error', reject).on('close', () => resolve(received));
  });
}

test('a route that asks for the caller of an open operation is a fault of ours', () => {
  const nobody = { locals: {} } as unknown as Response;
  expect(() => identityOf(nobody)).toThrow(expect.objectContaining({ kind: 'INTERNAL' }));
});
