import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { collect, PATIENT, requestOf } from '../api/conformance-kit.ts';
import { openVllm, VLLM_CAPABILITIES } from './adapter.ts';

/** Servers that are no healthy vLLM; the rest is in the conformance suite and beside the simulator. */

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** A server that gives each path its answer, and 404 to all others. */
async function serve(answers: Readonly<Record<string, Answer>>) {
  const seen: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    const { status, body = {} } = answers[req.url ?? ''] ?? { status: 404 };
    seen.push(req.headers.authorization);
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const openAt = (url: string) => openVllm({ url, timeouts: PATIENT, maxStreams: 2, apiKey: 'key' });
const never = new AbortController().signal;

test.each([
  [200, { state: 'ready' }],
  [503, { state: 'down', reason: 'health answered 503' }],
  [404, { state: 'down', reason: 'health answered 404' }],
])('OC-ADAPT-5028 health %i is %j', async (status, health) => {
  await using server = await serve({ '/health': { status } });
  await using adapter = openAt(server.url);
  expect(await adapter.health()).toEqual(health);
});

test('OC-ADAPT-5028 a refused connection is loading until the engine has answered', async () => {
  const server = await serve({ '/health': { status: 200 } });
  await using early = openAt(server.url);
  await using late = openAt(server.url);
  await late.health();
  await server[Symbol.asyncDispose]();
  expect(await early.health()).toEqual({ state: 'loading' });
  await expect(early.props()).rejects.toMatchObject({ fault: 'not-ready' });
  expect(await late.health()).toMatchObject({ state: 'down' });
});

test('OC-ADAPT-5020 without metrics the size of the KV cache is unknown', async () => {
  const models = { object: 'list', data: [{ id: 'm', max_model_len: 512 }] };
  await using server = await serve({
    '/version': { status: 200, body: { version: '0.29.0' } },
    '/v1/models': { status: 200, body: models },
  });
  await using adapter = openAt(server.url);
  expect(await adapter.props()).toMatchObject({ ctx: 512, kvTokens: undefined });
  await expect(adapter.metrics()).rejects.toMatchObject({ fault: 'garbage', status: 404 });
  expect(new Set(server.seen)).toEqual(new Set(['Bearer key']));
});

test('OC-ADAPT-5023 a count of another shape is garbage, before anything is generated', async () => {
  await using server = await serve({ '/tokenize': { status: 200, body: { tokens: [1] } } });
  await using adapter = openAt(server.url);
  await expect(adapter.countTokens('a')).rejects.toMatchObject({ fault: 'garbage' });
  const got = collect();
  const submitted = adapter.submit(requestOf({ maxTokens: undefined }), got.sink, never);
  await expect(submitted).rejects.toMatchObject({ fault: 'garbage' });
  expect(got.started).toBe(0);
});

test('OC-ADAPT-5030 no template is rendered outside the engine', async () => {
  await using adapter = openAt('http://127.0.0.1:9');
  const rendered = adapter.applyTemplate([{ role: 'user', content: 'why?' }]);
  await expect(rendered).rejects.toMatchObject({ fault: 'permanent' });
});

test('OC-ADAPT-5031 byte-exactness is not promised', () => {
  expect(VLLM_CAPABILITIES.determinism).toBe('none');
});
