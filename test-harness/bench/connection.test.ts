import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { Connection, encodeRequest } from './connection.ts';

async function withConnection<T>(
  listener: RequestListener,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const connection = await Connection.open(`http://127.0.0.1:${port}`);
  try {
    return await use(connection);
  } finally {
    connection.close();
    server.close();
  }
}

const POST = encodeRequest({ method: 'POST', path: '/', body: '{"a":1}' });

test('an answer that comes in pieces is read whole, and the connection serves the next', async () => {
  const answers = await withConnection(
    (req, res) => {
      req.resume().on('end', () => {
        res.writeHead(202, { 'content-length': 6 });
        res.write('abc');
        setImmediate(() => res.end('def'));
      });
    },
    async (connection) => [await connection.exchange(POST), await connection.exchange(POST)],
  );
  expect(answers).toEqual(Array.from({ length: 2 }, () => ({ status: 202, body: 'abcdef' })));
});

test('a stream ends with its last chunk, and the reads with the marker are timed', async () => {
  const answer = await withConnection(
    (req, res) => {
      req.resume().on('end', () => {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write('event: started\n\n');
        setImmediate(() => {
          res.write('event: token\n\n');
          setImmediate(() => res.end('event: end\n\n'));
        });
      });
    },
    (connection) => connection.stream(POST, 'event: token', true),
  );
  expect(answer.status).toBe(200);
  expect(answer.tail).toContain('event: end');
  expect(answer.firstMs).toBeGreaterThan(0);
  expect(answer.lastMs).toBeGreaterThanOrEqual(answer.firstMs);
  expect(answer.endMs).toBeGreaterThanOrEqual(answer.lastMs);
});

test('a refused stream gives its status', async () => {
  const answer = await withConnection(
    (_req, res) => res.writeHead(429).end('{"code":"ADMISSION_REJECT"}'),
    (connection) => connection.stream(POST, 'event: token', true),
  );
  expect(answer.status).toBe(429);
});

test('a lost connection rejects what waits for an answer', async () => {
  await withConnection(
    (req) => req.socket.destroy(),
    (connection) => expect(connection.exchange(POST)).rejects.toThrow(),
  );
});
