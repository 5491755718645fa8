import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HostSync } from '@llama-orch/contracts';
import { expect, test } from 'vitest';
import { createHttpTransport } from './transport.ts';

const SYNC: HostSync = {
  api_version: '1.0.0',
  instance: {
    id: '00000000-0000-4000-8000-000000000001',
    home: '00000000-0000-4000-8000-00000000000a',
    generation: 1,
  },
  seq: 1,
  gateway_url: 'http://10.0.0.7:8090',
  lease_ttl_ms: 1_000,
  replicas: [],
  leases: [],
  events: [],
};

/** An orchestratord that answers everything with the same. */
async function answering(status: number, body: string) {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    requests.push(req);
    req.resume();
    res.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const transport = createHttpTransport({ url, hostId: 'gpu-a', key: 'key-of-the-test' });
  return {
    requests,
    transport,
    [Symbol.asyncDispose]: async () => {
      await transport.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const never = new AbortController().signal;

test('OC-POOL-3103 a refusal is told in the words of orchestratord, with its code', async () => {
  const envelope = { code: 'CONFLICT', message: 'choose another host_id', retriable: false };
  await using orchestratord = await answering(409, JSON.stringify(envelope));
  await expect(orchestratord.transport.sync(SYNC, never)).rejects.toMatchObject({
    name: 'SyncRefused',
    code: 'CONFLICT',
    message: 'choose another host_id',
  });
});

test.each([
  ['<html>Bad Gateway</html>', 502],
  ['null', 503],
  ['', 500],
])('a refusal that is no envelope (%j) is told by its status', async (body, status) => {
  await using orchestratord = await answering(status, body);
  await expect(orchestratord.transport.sync(SYNC, never)).rejects.toMatchObject({
    name: 'SyncRefused',
    code: '',
    message: `it answered ${status}`,
  });
});

test.each(['{}', 'no JSON', '[]'])('what is no answer (%j) is not acted on', async (body) => {
  await using orchestratord = await answering(200, body);
  await expect(orchestratord.transport.sync(SYNC, never)).rejects.toMatchObject({
    name: 'SyncRefused',
    message: expect.stringMatching(/^its answer is none: /) as string,
  });
});

test('OC-POOL-3101 every call carries the key, and leave is taken for this instance only', async () => {
  await using orchestratord = await answering(204, '');
  await orchestratord.transport.leave(SYNC.instance.id, never);
  const [request] = orchestratord.requests;
  expect(request?.method).toBe('DELETE');
  expect(request?.url).toBe(`/v1/hosts/gpu-a?instance_id=${SYNC.instance.id}`);
  expect(request?.headers.authorization).toBe('Bearer key-of-the-test');
});
