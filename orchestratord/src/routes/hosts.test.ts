import type { ErrorEnvelope, HostSync, HostSyncAnswer } from '@llama-orch/contracts';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RemoteHosts } from '../hosts/remote-hosts.ts';
import { createApp } from '../http/app.ts';
import { readBody } from '../http/request-body.ts';
import { listen, type HttpServer } from '../http/server.ts';
import { hostRoutes } from './hosts.ts';

const INSTANCE = 'b3a1f0de-6a52-4c0e-9a57-0d6f3c1f8e11';
const HOME = '2f0c5a4e-1d0b-4b70-8d53-7a4c9c1f2b22';
const REPORT: HostSync = {
  api_version: '1.0.0',
  instance: { id: INSTANCE, home: HOME, generation: 1 },
  seq: 1,
  gateway_url: 'http://127.0.0.1:9',
  lease_ttl_ms: 10_000,
  replicas: [],
  leases: [],
  events: [],
};
const ANSWER = { acknowledged: 1 } as unknown as HostSyncAnswer;

const synced: unknown[] = [];
const removed: unknown[] = [];
let server: HttpServer;

beforeAll(async () => {
  const hosts = {
    hosts: () => [{ host_id: 'gpu-1' }],
    sync: (...report: unknown[]) => {
      synced.push(report);
      return Promise.resolve(ANSWER);
    },
    remove: (...which: unknown[]) => void removed.push(which),
  } as unknown as RemoteHosts;
  const routers = [hostRoutes({ hosts, readBody: readBody(100_000) })];
  const app = createApp({ keys: undefined, log: pino({ level: 'silent' }), routers });
  const address = { host: '127.0.0.1', port: 0 };
  server = await listen(app, { ...address, headerTimeoutMs: 5_000, idleTimeoutMs: 5_000 });
});
afterAll(() => server.close(0));
beforeEach(() => {
  synced.length = 0;
  removed.length = 0;
});

async function call(method: string, path: string, body?: object) {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const payload = body === undefined ? null : JSON.stringify(body);
  const response = await fetch(server.url + path, { method, headers, body: payload });
  const text = await response.text();
  return {
    status: response.status,
    allow: response.headers.get('allow'),
    body: (text === '' ? undefined : JSON.parse(text)) as unknown,
  };
}

const pathsOf = (body: unknown) => (body as ErrorEnvelope).details?.map(({ path }) => path);

test('a report of a host reaches the hosts as it was sent, and their answer the host', async () => {
  const { status, body } = await call('POST', '/v1/hosts/gpu-1/sync', REPORT);
  expect({ status, body }).toEqual({ status: 200, body: ANSWER });
  expect(synced).toEqual([['gpu-1', REPORT]]);
});

test('a report that is not one is refused by the path of what is wrong, and nothing hears of it', async () => {
  const { status, body } = await call('POST', '/v1/hosts/gpu-1/sync', { ...REPORT, seq: 'one' });
  expect(status).toBe(400);
  expect(pathsOf(body)).toEqual(['/seq']);
  expect(synced).toEqual([]);
});

test('a host is removed by its id and the instance that is meant', async () => {
  const { status } = await call('DELETE', `/v1/hosts/gpu-1?instance_id=${INSTANCE}`);
  expect(status).toBe(204);
  expect(removed).toEqual([['gpu-1', INSTANCE]]);
});

test('what cannot be the id of a host is refused as such', async () => {
  const bad = '/v1/hosts/%20no%20host';
  for (const answer of [
    await call('POST', `${bad}/sync`, REPORT),
    await call('DELETE', `${bad}?instance_id=${INSTANCE}`),
  ]) {
    expect(answer.status).toBe(400);
    expect(pathsOf(answer.body)).toEqual(['host_id']);
  }
  expect([...synced, ...removed]).toEqual([]);
});

test('hosts are listed, and other methods hear which there are', async () => {
  expect((await call('GET', '/v1/hosts')).body).toEqual({ items: [{ host_id: 'gpu-1' }] });
  expect(await call('PUT', '/v1/hosts')).toMatchObject({ status: 405, allow: 'GET' });
  expect(await call('GET', '/v1/hosts/gpu-1')).toMatchObject({ status: 405, allow: 'DELETE' });
  expect(await call('GET', '/v1/hosts/gpu-1/sync')).toMatchObject({ status: 405, allow: 'POST' });
});
