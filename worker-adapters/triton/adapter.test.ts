import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { collect, failureOf, PATIENT, requestOf, until } from '../api/conformance-kit.ts';
import type { AdapterOptions } from '../api/types.ts';
import { openTriton } from './adapter.ts';

/** What the conformance suite does not see; the peer is told each answer. */

interface Peer extends AsyncDisposable {
  readonly url: string;
  readonly requests: IncomingMessage[];
}

type Answer = (res: ServerResponse, req: IncomingMessage) => void;

const CONFIG = {
  name: 'm',
  input: [{ name: 'text_input' }, { name: 'max_tokens' }],
  model_transaction_policy: { decoupled: true },
  parameters: { accumulate_tokens: { string_value: 'false' } },
};
const status = (code: number) => (res: ServerResponse) => void res.writeHead(code).end();
const json = (value: object) => (res: ServerResponse) => void res.end(JSON.stringify(value));

/** Answers by path; 404 elsewhere. */
async function startPeer(answers: Readonly<Record<string, Answer>>): Promise<Peer> {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    requests.push(req);
    const answer = answers[req.url ?? ''] ?? status(404);
    req.resume().once('end', () => answer(res, req));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const openAt = (url: string, change: Partial<AdapterOptions> = {}) =>
  openTriton({ url, timeouts: PATIENT, maxStreams: 2, model: 'm', ...change });
const never = new AbortController().signal;

test('without the name of a model it cannot be opened', () => {
  const options = { url: 'http://127.0.0.1:8000', timeouts: PATIENT, maxStreams: 1 };
  expect(() => openTriton(options)).toThrow(expect.objectContaining({ fault: 'permanent' }));
});

test('OC-ADAPT-5071 a chat template that cannot be parsed is told at once', () => {
  expect(() => openAt('http://127.0.0.1:8000', { chatTemplate: '{% for %}' })).toThrow(
    expect.objectContaining({ fault: 'permanent' }),
  );
});

test('OC-ADAPT-5071 what a template refuses is permanent, and not quoted', async () => {
  const chatTemplate = "{{ raise_exception('no ' + messages[0].content) }}";
  await using adapter = openAt('http://127.0.0.1:8000', { chatTemplate });
  const failure = await failureOf(adapter.applyTemplate([{ role: 'user', content: 'my prompt' }]));
  expect(failure).toMatchObject({ fault: 'permanent' });
  expect(failure).not.toHaveProperty('cause');
  expect((failure as Error).message).not.toContain('my prompt');
});

test.each([
  [200, 200, 'ready'],
  [200, 400, 'loading'],
  [400, 200, 'loading'],
  [200, 404, 'down'],
  [500, 200, 'down'],
  [400, 404, 'down'],
])(
  'OC-ADAPT-5068 a server that answers %i and a model that answers %i are %s',
  async (server, model, state) => {
    await using peer = await startPeer({
      '/v2/health/ready': status(server),
      '/v2/models/m/ready': status(model),
    });
    await using adapter = openAt(peer.url);
    expect(await adapter.health()).toMatchObject({ state });
  },
);

test('OC-ADAPT-5061 the configuration is read once for all who need it first', async () => {
  await using peer = await startPeer({
    '/v2/models/m/config': json(CONFIG),
    '/v2/models/m/generate_stream': (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      res.end('data: {"text_output":"a"}\n\n');
    },
  });
  await using adapter = openAt(peer.url);
  const submit = () => adapter.submit(requestOf(), collect().sink, never);
  await Promise.all([submit(), submit()]);
  await submit();
  const reads = peer.requests.filter(({ method }) => method === 'GET');
  expect(reads.map(({ url }) => url)).toEqual(['/v2/models/m/config']);
});

test('OC-ADAPT-5061 a configuration that could not be read is read again', async () => {
  const answers = [status(500), json({ name: 'm' }), json(CONFIG)];
  await using peer = await startPeer({
    '/v2/models/m/config': (res) => answers.shift()?.(res),
    '/v2/models/m/generate_stream': status(503),
  });
  await using adapter = openAt(peer.url);
  const submit = () => failureOf(adapter.submit(requestOf(), collect().sink, never));
  expect(await submit()).toMatchObject({ fault: 'broken', status: 500 });
  expect(await submit()).toMatchObject({ fault: 'garbage' });
  expect(await submit()).toMatchObject({ fault: 'busy' });
});

test('OC-ADAPT-5005 giving up while the configuration is read disturbs no one else', async () => {
  const held: ServerResponse[] = [];
  await using peer = await startPeer({
    '/v2/models/m/config': (res) => void held.push(res),
    '/v2/models/m/generate_stream': status(503),
  });
  await using adapter = openAt(peer.url);
  const abort = new AbortController();
  const given = failureOf(adapter.submit(requestOf(), collect().sink, abort.signal));
  const other = failureOf(adapter.submit(requestOf(), collect().sink, never));
  await until(() => held.length === 1, 'the configuration is asked for');
  const reason = new Error('canceled by the test');
  abort.abort(reason);
  expect(await given).toBe(reason);
  for (const res of held) json(CONFIG)(res);
  expect(await other).toMatchObject({ fault: 'busy' });
});

test('OC-ADAPT-5065 a model that goes on after a stop string is stopped', async () => {
  let isOpen = true;
  await using peer = await startPeer({
    '/v2/models/m/config': json(CONFIG),
    '/v2/models/m/generate_stream': (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      res.once('close', () => (isOpen = false));
      const goOn = () =>
        isOpen && res.write('data: {"text_output":"on "}\n\n', () => setImmediate(goOn));
      res.write('data: {"text_output":"one END"}\n\n', goOn);
    },
  });
  await using adapter = openAt(peer.url);
  const got = collect();
  const { sampling } = requestOf();
  const request = requestOf({ maxTokens: 1000, sampling: { ...sampling, stop: ['END'] } });
  const result = await adapter.submit(request, got.sink, never);
  expect(result).toMatchObject({ finishReason: 'stop', tokensOut: 1 });
  expect(got.pieces).toEqual(['one ']);
  await until(() => !isOpen, 'the connection is closed');
});

test('OC-ADAPT-5062 the name of a model is part of a path', async () => {
  await using peer = await startPeer({ '/v2/models/a%2Fb%20c/ready': status(200) });
  await using adapter = openAt(peer.url, { model: 'a/b c' });
  await adapter.health();
  expect(peer.requests.map(({ url }) => url)).toContain('/v2/models/a%2Fb%20c/ready');
});

const METRICS = `nv_trt_llm_request_metrics{model="m",request_type="waiting"} 1
nv_trt_llm_request_metrics{model="m",request_type="active"} 2
`;

test('OC-ADAPT-5069 metrics are read where the operator says, with the key', async () => {
  await using peer = await startPeer({ '/v2/models/m/config': json(CONFIG) });
  await using metrics = await startPeer({ '/gpu/metrics': (res) => void res.end(METRICS) });
  const metricsUrl = `${metrics.url}/gpu/metrics`;
  await using adapter = openAt(peer.url, { metricsUrl, apiKey: 'secret' });
  expect(await adapter.metrics()).toEqual({ running: 2, waiting: 1, kvUsage: undefined });
  expect(metrics.requests[0]?.headers.authorization).toBe('Bearer secret');
});

test('OC-ADAPT-5069 metrics that are not where the operator says are a failure', async () => {
  await using peer = await startPeer({ '/v2/models/m/config': json(CONFIG) });
  await using metrics = await startPeer({});
  await using adapter = openAt(peer.url, { metricsUrl: `${metrics.url}/metrics` });
  expect(await failureOf(adapter.metrics())).toMatchObject({ fault: 'garbage', status: 404 });
});

const UNKNOWN = { running: undefined, waiting: undefined, kvUsage: undefined };

test('OC-ADAPT-5069 metrics that are not at the default place are unknown', async () => {
  await using peer = await startPeer({ '/v2/models/m/config': json(CONFIG) });
  await using adapter = openAt(peer.url);
  expect(await adapter.metrics()).toEqual(UNKNOWN);
  await using proxied = openAt('http://127.0.0.1:8000/triton');
  expect(await proxied.metrics()).toEqual(UNKNOWN);
});

/** Two peers, the second two ports above the first. */
async function startPair(first: Readonly<Record<string, Answer>>, second: Answer) {
  for (;;) {
    const peer = await startPeer(first);
    const requests: IncomingMessage[] = [];
    const above = createServer((req, res) => {
      requests.push(req);
      second(res, req);
    });
    const isUp = await new Promise<boolean>((resolve) => {
      above.once('error', () => resolve(false)).once('listening', () => resolve(true));
      above.listen(Number(new URL(peer.url).port) + 2, '127.0.0.1');
    });
    if (isUp) return { peer, above, requests };
    await peer[Symbol.asyncDispose]();
  }
}

test('OC-ADAPT-5069 a guessed port is read, and not told the key', async () => {
  const config = { '/v2/models/m/config': json(CONFIG) };
  const { peer, above, requests } = await startPair(config, (res) => void res.end(METRICS));
  await using _peer = peer;
  await using adapter = openAt(peer.url, { apiKey: 'secret', headers: () => ({ 'x-key': 'k' }) });
  expect(await adapter.metrics()).toMatchObject({ running: 2, waiting: 1 });
  expect(requests[0]?.url).toBe('/metrics');
  expect(requests[0]?.headers).not.toHaveProperty('authorization');
  expect(requests[0]?.headers).not.toHaveProperty('x-key');
  above.closeAllConnections();
  above.close();
});

test('Triton counts no tokens', async () => {
  await using adapter = openAt('http://127.0.0.1:8000');
  expect(await adapter.countTokens('x')).toBeUndefined();
});
