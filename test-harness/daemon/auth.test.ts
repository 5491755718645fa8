/** Keys, scopes, tenants and rates (ORCH-3006, ORCH-3035, OC-CTRL-2040 to 2046). */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPERATIONS, type ErrorEnvelope, type OperationId } from '@llama-orch/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { ContractViolation } from '../src/contract-check.ts';
import { DaemonClient, type CallOptions } from '../src/daemon-client.ts';
import { runDaemon, startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { parseMetrics, sumOf } from '../src/metrics-text.ts';
import { exchange, parseAnswer } from '../src/raw-socket.ts';
import { externalPool, writeConfig, type ConfigInput } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';
import { sha256 } from '../src/stream-check.ts';
import { newKey } from '../src/new-key.ts';

const SCOPES = [
  'tasks:write',
  'tasks:read',
  'control:read',
  'control:write',
  'pool:write',
  'admin',
] as const;
type Scope = (typeof SCOPES)[number];

/** Keys that may do one thing each, and those of tenants that share the pool. */
const secrets = {
  ...(Object.fromEntries(SCOPES.map((scope) => [scope, newKey()])) as Record<Scope, string>),
  acme: newKey(),
  acmeReads: newKey(),
  globex: newKey(),
  slow: newKey(),
};
const idOf = (name: string) => name.replace(':', '-');
const entry = (name: keyof typeof secrets, tenant: string, ...scopes: Scope[]) => ({
  id: idOf(name),
  tenant,
  sha256: sha256(secrets[name]),
  scopes,
});

const ACCESS: Pick<ConfigInput, 'auth' | 'tenants'> = {
  tenants: [
    { id: 'acme', weight: 2, max_concurrent: 3, rps: 1_000.5, burst: 2_000 },
    { id: 'globex' },
    { id: 'slow', rps: 0.001, burst: 2 },
  ],
  auth: {
    keys: [
      ...SCOPES.map((scope) => entry(scope, 'default', scope)),
      entry('acme', 'acme', 'tasks:write', 'tasks:read'),
      entry('acmeReads', 'acme', 'tasks:read'),
      entry('globex', 'globex', 'tasks:write', 'tasks:read'),
      entry('slow', 'slow', 'tasks:write', 'tasks:read'),
    ],
  },
};

let sim: LlamaCppSim;
let daemon: DaemonProcess;
let as: Record<keyof typeof secrets, DaemonClient>;

beforeAll(async () => {
  sim = await startLlamaCppSim({ slots: 4, tokens: 5, tokenDelayMs: 1 });
  daemon = await startDaemon({
    config: { ...ACCESS, pools: [externalPool([sim.url], { slots: 4 })] },
  });
  as = Object.fromEntries(
    Object.entries(secrets).map(([name, key]) => [
      name,
      new DaemonClient(() => daemon.url, { authorization: `Bearer ${key}` }),
    ]),
  ) as typeof as;
  await as['control:read'].untilReady(1);
});
afterAll(async () => {
  for (const client of Object.values(as)) await client[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  await sim[Symbol.asyncDispose]();
});

/** A call of each operation that succeeds or finds nothing, and changes nothing. */
function harmless(operationId: OperationId): CallOptions {
  const { path } = OPERATIONS[operationId];
  if (operationId === 'createTask') return { body: { prompt: 'p', max_tokens: 1 } };
  if (operationId === 'drainPool') return { path: ['nobody'], body: { deadline_ms: 1 } };
  if (path.startsWith('/v1/pools/{id}')) return { path: ['nobody'] };
  if (operationId === 'syncHost') return { path: ['nobody'], body: {} };
  if (path.startsWith('/v1/hosts/{host_id}')) return { path: ['nobody'] };
  return path.includes('{id}') ? { path: [randomUUID()] } : {};
}

const operations = Object.entries(OPERATIONS).map(
  ([id, { scope }]) => [id as OperationId, scope] as const,
);
const guarded = operations.filter(([, scope]) => scope !== null);
const open = operations.filter(([, scope]) => scope === null);

describe('OC-CTRL-2040 ORCH-3035 with keys', () => {
  test.each(guarded)('%s needs one', async (id) => {
    const authorizations = [
      undefined,
      '',
      'Bearer',
      `Bearer ${newKey()}`,
      `Basic ${secrets.admin}`,
    ];
    for (const authorization of authorizations) {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const answer = await daemon.client.call(id, { ...harmless(id), headers });
      expect(answer.status, authorization).toBe(401);
      expect(answer.body).toMatchObject({ code: 'UNAUTHORIZED', retriable: false });
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer( error="invalid_token")?$/);
    }
  });

  test.each(guarded)('%s needs the scope of the contract: %s', async (id, scope) => {
    for (const held of SCOPES) {
      const answer = await as[held].call(id, harmless(id));
      const mayPass = scope === 'any' || held === scope || held === 'admin';
      expect(answer.status === 403, `${held}: ${answer.text}`).toBe(!mayPass);
      expect(answer.status).not.toBe(401);
      if (mayPass) continue;
      expect((answer.body as ErrorEnvelope).message).toContain(scope);
      expect(answer.headers['www-authenticate']).toContain(`scope="${scope}"`);
    }
  });

  test.each(open)('%s is open to everyone', async (id) => {
    expect((await daemon.client.call(id)).status).toBe(200);
  });

  test.each([
    ['GET', '/v2/tasks'],
    ['PUT', '/v1/tasks'],
    ['OPTIONS', '/v1/tasks'],
    ['GET', '/HEALTHZ'],
    ['GET', '/v1/tasks/not-a-uuid'],
  ])('%s %s tells a stranger nothing', async (method, path) => {
    expect((await daemon.client.refused(method, path, 401)).code).toBe('UNAUTHORIZED');
  });

  test('another spelling of a path is no way around its scope', async () => {
    for (const path of ['/V1/Tasks', '/v1/tasks/', '/v1/TASKS/?limit=1']) {
      await as['tasks:write'].refused('GET', path, 403);
    }
    await as['tasks:read'].refused('POST', '/V1/Tasks/', 403, { body: { prompt: 'p' } });
  });
});

describe('OC-CTRL-2044 a tenant', () => {
  const sessionId = randomUUID();
  let endedId: string;
  let runningId: string;

  beforeAll(async () => {
    endedId = taskIdOf(await as.acme.run({ prompt: 'mine', session_id: sessionId }));
    sim.addFault({ kind: 'stall', after_tokens: 1 });
    const running = await as.acme.postStream({ prompt: 'stalls' });
    await running.until('a token', () => running.tokens.length > 0);
    runningId = taskIdOf(running);
    await running.cut();
  });
  afterAll(() => as.acme.cancel(runningId));

  test('sees its tasks and sessions with each of its keys', async () => {
    expect((await as.acmeReads.task(endedId)).state).toBe('completed');
    expect((await as.acmeReads.task(runningId)).state).toBe('running');
    const listed = (await as.acmeReads.tasks()).items.map((task) => task.task_id);
    expect(listed).toEqual([runningId, endedId]);
    expect(await as.acmeReads.session(sessionId)).toMatchObject({ turns: 1 });
    const replay = await as.acmeReads.stream(endedId);
    expect((await replay.toEnd()).event).toBe('end');
  });

  test.each(['globex', 'admin'] as const)('is hidden from %s', async (other) => {
    for (const id of [endedId, runningId]) {
      for (const operation of [
        'getTask',
        'explainTask',
        'streamTask',
        'verifyTask',
        'cancelTask',
      ] as const) {
        const foreign = await as[other].call(operation, { path: [id] });
        const unknown = await as[other].call(operation, { path: [randomUUID()] });
        expect(foreign.status, operation).toBe(404);
        expect(foreign.body).toEqual(unknown.body);
      }
    }
    for (const operation of ['getSession', 'deleteSession'] as const) {
      const foreign = await as[other].call(operation, { path: [sessionId] });
      const unknown = await as[other].call(operation, { path: [randomUUID()] });
      expect(foreign.status, operation).toBe(404);
      expect(foreign.body).toEqual(unknown.body);
    }
    const ids = (await as[other].tasks({ limit: 200 })).items.map((task) => task.task_id);
    expect(ids).not.toContain(endedId);
    expect(ids).not.toContain(runningId);
    expect((await as[other].tasks({ session_id: sessionId })).items).toEqual([]);
    const joining = await as[other].call('createTask', {
      body: { prompt: 'p', session_id: sessionId },
    });
    expect(joining.status).toBe(404);
    await expect(as[other].postStream({ prompt: 'p', session_id: sessionId })).rejects.toThrow(
      ContractViolation,
    );
    expect((await as.acme.task(runningId)).state).toBe('running');
    expect(await as.acme.session(sessionId)).toMatchObject({ turns: 1 });
  });

  test('gets the same conflict for a foreign task_id as for its own', async () => {
    const own = await as.globex.admit({ task_id: randomUUID(), prompt: 'one' });
    const conflicts = await Promise.all(
      [endedId, runningId, own.task_id].map((task_id) =>
        as.globex.call('createTask', { body: { task_id, prompt: 'other' } }),
      ),
    );
    for (const { status, body } of conflicts) {
      expect(status).toBe(409);
      expect(body).toEqual(conflicts[0]?.body);
    }
  });

  test('is never given the task of another, not even for the same request', async () => {
    for (const priority of ['interactive', 'batch'] as const) {
      const body = { task_id: randomUUID(), prompt: 'alike', priority };
      await as.acme.admit(body);
      expect((await as.globex.call('createTask', { body })).status).toBe(409);
      await as.acme.untilEnded(body.task_id);
      expect((await as.globex.call('createTask', { body })).status).toBe(409);
      expect((await as.acme.admit(body)).task_id).toBe(body.task_id);
    }
  });

  test('has Idempotency-Keys of its own', async () => {
    const headers = { 'idempotency-key': 'nightly-1' };
    const mine = await as.acme.admit({ prompt: 'p' }, headers);
    const theirs = await as.globex.admit({ prompt: 'p' }, headers);
    expect(theirs.task_id).not.toBe(mine.task_id);
    expect((await as.acme.admit({ prompt: 'p' }, headers)).task_id).toBe(mine.task_id);
  });

  test('stays hidden after a restart', async () => {
    await daemon.kill9();
    await daemon.restart();
    await as['control:read'].untilReady(1);
    for (const id of [endedId, runningId]) {
      expect((await as.globex.call('getTask', { path: [id] })).status).toBe(404);
      expect((await as.globex.call('explainTask', { path: [id] })).status).toBe(404);
      expect((await as.globex.call('streamTask', { path: [id] })).status).toBe(404);
      expect((await as.acme.task(id)).task_id).toBe(id);
    }
    expect((await as.globex.call('getSession', { path: [sessionId] })).status).toBe(404);
    expect(await as.acme.session(sessionId)).toMatchObject({ turns: 1 });
  });
});

describe('OC-CTRL-2045', () => {
  test('capabilities show the limits of the tenant that asks', async () => {
    const limitsOf = async (client: DaemonClient) => {
      const { body } = await client.call('getCapabilities');
      return (body as { engines: { rate_limits: object }[] }).engines[0]?.rate_limits;
    };
    expect(await limitsOf(as.acme)).toEqual({
      requests_per_second: 1_000.5,
      burst: 2_000,
      max_concurrent: 3,
    });
    expect(await limitsOf(as.slow)).toEqual({ requests_per_second: 0.001, burst: 2 });
    expect(await limitsOf(as.globex)).toEqual({});
  });

  test("events of every tenant are the administrator's alone", async () => {
    const ids = [await as.acme.admit({ prompt: 'p' }), await as.globex.admit({ prompt: 'p' })];
    const { text } = await as.admin.call('listEvents', { query: { limit: 1_000 } });
    for (const { task_id } of ids) expect(text).toContain(task_id);
    for (const each of ['control:read', 'control:write', 'acme'] as const) {
      await as[each].refused('GET', '/v1/events?stream=true', 403);
    }
  });
});

describe('OC-CTRL-2046 ORCH-3006 a tenant with a rate', () => {
  const post = (client: DaemonClient, options: CallOptions = { body: { prompt: 'p' } }) =>
    client.call('createTask', options);

  test('is refused beyond its burst, before its body is looked at and before the queue', async () => {
    expect((await post(as.slow)).status).toBe(202);
    // Also an invalid task counts: it costs as much to look at.
    expect((await post(as.slow, { rawBody: '{' })).status).toBe(400);
    for (const options of [{ body: { prompt: 'p' } }, { rawBody: '{' }, { rawBody: '' }]) {
      const answer = await post(as.slow, options);
      expect(answer.status).toBe(429);
      expect(answer.body).toMatchObject({
        code: 'RATE_LIMITED',
        policy_label: 'rate-limit',
        retriable: true,
      });
      const { retry_after_ms: waitMs = 0 } = answer.body as ErrorEnvelope;
      expect(waitMs).toBeGreaterThan(900_000);
      expect(waitMs).toBeLessThanOrEqual(1_000_000);
    }
    const { items } = await as.slow.tasks();
    expect(items).toHaveLength(1);
    const scraped = parseMetrics((await as['control:read'].call('getMetrics')).text);
    expect(sumOf(scraped, 'tasks_rejected_total', { reason: 'RATE_LIMITED' })).toBe(3);
  });

  test('OC-CTRL-2042 is refused before a long body has come', async () => {
    const head = [
      'POST /v1/tasks HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${secrets.slow}`,
      'Content-Length: 50000000',
    ].join('\r\n');
    const received = await exchange(daemon.url, `${head}\r\n\r\n`, { withinMs: 5_000 });
    expect(parseAnswer(received)).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
  });

  test('holds back nobody else', async () => {
    expect((await post(as.slow)).status).toBe(429);
    for (let i = 0; i < 10; i += 1) expect((await post(as.globex)).status).toBe(202);
  });
});

describe('OC-CTRL-2042 a body without a key', () => {
  const head = (...fields: string[]) =>
    [
      'POST /v1/tasks HTTP/1.1',
      'Host: x',
      'Content-Type: application/json',
      ...fields,
      '',
      '',
    ].join('\r\n');

  test('of 50 MB is refused before any of it was sent', async () => {
    const received = await exchange(daemon.url, head('Content-Length: 50000000'), {
      withinMs: 5_000,
    });
    expect(parseAnswer(received)).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
  });

  test('of 50 MB that is sent all the same is refused, and not read', async () => {
    const body = Buffer.alloc(50_000_000, 'x');
    const error = await daemon.client.refused('POST', '/v1/tasks', 401, { rawBody: body });
    expect(error.code).toBe('UNAUTHORIZED');
    expect((await daemon.client.call('getLiveness')).status).toBe(200);
  });

  test('that asks whether it may come is not asked for', async () => {
    const asking = head('Content-Length: 50000000', 'Expect: 100-continue');
    const received = await exchange(daemon.url, asking, { withinMs: 5_000 });
    expect(received).toMatch(/^HTTP\/1\.1 401 /);
  });

  test('with a key is asked for, and taken', async () => {
    const body = '{"prompt":"p"}';
    const fields = [
      `Authorization: Bearer ${secrets.acme}`,
      `Content-Length: ${body.length}`,
      'Expect: 100-continue',
      'Connection: close',
    ];
    const received = await exchange(daemon.url, head(...fields) + body, { withinMs: 5_000 });
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 100', 'HTTP/1.1 202']);
  });
});

describe('OC-CTRL-2041 logs', () => {
  beforeEach(() => as.acme.run({ prompt: 'p' }));

  test('name the tenant and the key of a task, and of a refusal', async () => {
    const headers = { 'x-correlation-id': 'whose-was-it' };
    const { task_id: id } = await as.acme.admit({ prompt: 'p' }, headers);
    await as.acmeReads.call('createTask', { body: { prompt: 'p' }, headers });
    const find = (fields: object) => () =>
      daemon
        .logs()
        .find((line) => Object.entries(fields).every(([name, value]) => line[name] === value));
    const accepted = { job_id: id, msg: 'task accepted', tenant_id: 'acme', key_id: 'acme' };
    await waitFor('the line of the task', find(accepted));
    await waitFor(
      'the line of the refusal',
      find({ correlation_id: 'whose-was-it', code: 'FORBIDDEN', key_id: 'acmeReads' }),
    );
  });

  test('hold no key and no hash of one, of anybody, and nothing unexpected', async () => {
    const stranger = newKey();
    const headers = { authorization: `Bearer ${stranger}`, 'x-correlation-id': 'stranger' };
    await daemon.client.call('createTask', { body: { prompt: 'p' }, headers });
    await waitFor('the line of the stranger', () => daemon.stderr.includes('"stranger"'));
    for (const key of [stranger, ...Object.values(secrets)]) {
      expect(daemon.stderr).not.toContain(key);
      expect(daemon.stderr).not.toContain(sha256(key));
    }
    expect(daemon.logs().filter((line) => line['level'] === 'error')).toEqual([]);
  });
});

describe('OC-CTRL-2040 a start', () => {
  let directory: string;
  const NOWHERE = externalPool(['http://127.0.0.1:9']);
  const startOf = (config: ConfigInput) =>
    runDaemon(['--config', writeConfig(directory, config), '--data-dir', join(directory, 'd')]);

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'llama-orch-auth-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('on another address than loopback is refused without keys', async () => {
    const exit = await startOf({ server: { host: '0.0.0.0', port: 0 }, pools: [NOWHERE] });
    expect(exit.code).toBe(2);
    expect(exit.stderr).toContain('/server/host must be a loopback address');
  });

  test('on another address than loopback is possible with a key', async () => {
    const config = { ...ACCESS, server: { host: '0.0.0.0' }, pools: [NOWHERE] };
    await using exposed = await startDaemon({ config });
    expect(new URL(exposed.url).hostname).toBe('0.0.0.0');
    expect((await exposed.client.call('listTasks')).status).toBe(401);
  });

  test('with a key of a tenant that nobody listed is refused, and the hash is not repeated', async () => {
    const exit = await startOf({
      auth: { keys: [entry('acme', 'acme', 'admin')] },
      pools: [NOWHERE],
    });
    expect(exit.code).toBe(2);
    expect(exit.stderr).toContain('/auth/keys/0/tenant is not one of the tenants');
    expect(exit.stderr).not.toContain(sha256(secrets.acme));
  });
});
