/** Pacts on their way to a broker. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { readPacts } from './pact-files.ts';
import { brokerFrom, publish } from './publish.ts';

const commit = () => 'c0ffee';

test('OC-TEST-7409 without a broker it says which variable to set', () => {
  expect(() => brokerFrom({}, commit)).toThrow('set PACT_BROKER_BASE_URL');
  expect(() => brokerFrom({ PACT_BROKER_BASE_URL: 'broker' }, commit)).toThrow('is not a URL');
});

test('OC-TEST-7409 the version is the commit unless another is given', () => {
  const env = { PACT_BROKER_BASE_URL: 'http://broker.example/' };
  expect(brokerFrom(env, commit)).toEqual({
    url: 'http://broker.example',
    token: undefined,
    version: 'c0ffee',
  });
  const { token, version } = brokerFrom(
    { ...env, PACT_BROKER_TOKEN: 't', PACT_CONSUMER_VERSION: '1.2.3' },
    commit,
  );
  expect({ token, version }).toEqual({ token: 't', version: '1.2.3' });
});

test('OC-TEST-7409 each pact is put to its consumer and version, and a refusal is an error', async () => {
  const seen: { readonly request: IncomingMessage; readonly body: string }[] = [];
  let status = 201;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      seen.push({ request, body });
      response.writeHead(status).end('{"errors":["no"]}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const broker = { url, token: 'secret', version: '1.0' };
    const pacts = await readPacts();
    for (const pact of pacts) await publish(broker, pact);
    expect(seen.map(({ request }) => `${request.method} ${request.url}`)).toEqual(
      pacts.map(
        ({ consumer }) => `PUT /pacts/provider/orchestratord/consumer/${consumer.name}/version/1.0`,
      ),
    );
    expect(seen.map(({ body }) => JSON.parse(body) as unknown)).toEqual(pacts);
    expect(seen[0]?.request.headers.authorization).toBe('Bearer secret');
    status = 409;
    const [first] = pacts;
    if (first === undefined) throw new Error('no pacts');
    await expect(publish(broker, first)).rejects.toThrow(/llama-orch-client: 409 .*no/);
  } finally {
    server.close();
  }
});
