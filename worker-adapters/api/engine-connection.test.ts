import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { EngineConnection } from './engine-connection.ts';
import { EngineError } from './types.ts';

const TIMEOUTS = { connectMs: 1_000, controlMs: 5_000, headersMs: 5_000, bodyMs: 5_000 };
const MAX_BYTES = 1_000;

/** A connection to an engine whose every answer is longer than its bound. */
async function toTalkative() {
  const server = createServer((_req, res) => res.end(JSON.stringify('x'.repeat(2 * MAX_BYTES))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = new EngineConnection(
    { url, timeouts: TIMEOUTS, maxStreams: 1 },
    {
      engine: 'openai',
      maxEventBytes: MAX_BYTES,
      maxControlBytes: MAX_BYTES,
      refusal: (status) => new EngineError('broken', 'openai', `answered ${status}`),
      refusedWhileLoading: false,
    },
  );
  return {
    connection,
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
    },
  };
}

test('OC-ADAPT-5008 a computed answer beyond its bound is a fault of the request', async () => {
  await using engine = await toTalkative();
  const call = { method: 'POST', path: '/v1/embeddings', body: {}, signal: undefined } as const;
  const answer = engine.connection.compute(call);
  await expect(answer).rejects.toMatchObject({ fault: 'permanent' });
});

test('OC-ADAPT-5008 any other answer beyond its bound is garbage', async () => {
  await using engine = await toTalkative();
  const answer = engine.connection.json({ method: 'GET', path: '/props', signal: undefined });
  await expect(answer).rejects.toMatchObject({ fault: 'garbage' });
});
