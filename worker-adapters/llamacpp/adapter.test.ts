import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect, test } from 'vitest';
import { collect, PATIENT, requestOf } from '../api/conformance-kit.ts';
import { openLlamaCpp } from './adapter.ts';

/** Peers that do not speak the protocol at all; the rest is in the conformance suite. */

interface Peer extends AsyncDisposable {
  readonly url: string;
}

/** A TCP server that does `answer` with a connection once something was sent over it. */
async function startPeer(answer: (socket: Socket) => void): Promise<Peer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Writes until the other side has closed the connection. */
function writeForever(socket: Socket): void {
  socket.write('x'.repeat(100_000), (error) => {
    if (!error) writeForever(socket);
  });
}

const openAt = ({ url }: Peer, controlMs = PATIENT.controlMs) =>
  openLlamaCpp({ url, timeouts: { ...PATIENT, controlMs }, maxStreams: 2 });
const never = new AbortController().signal;

test('OC-ADAPT-5008 health of an engine that never answers is down after controlMs', async () => {
  await using peer = await startPeer(() => {});
  await using adapter = openAt(peer, 50);
  expect(await adapter.health()).toEqual({ state: 'down', reason: 'no answer within 50 ms' });
  await expect(adapter.countTokens('one')).rejects.toMatchObject({ fault: 'timeout' });
});

test.each([
  ['no HTTP', 'hello, is it me you are looking for?\r\n\r\n'],
  ['an answer that is no event stream', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'],
  ['a redirect', 'HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n'],
])('OC-ADAPT-5004 %s is garbage', async (_name, bytes) => {
  await using peer = await startPeer((socket) => socket.write(bytes));
  await using adapter = openAt(peer);
  const got = collect();
  await expect(adapter.submit(requestOf(), got.sink, never)).rejects.toMatchObject({
    fault: 'garbage',
  });
  expect(got.started).toBe(0);
  await expect(adapter.props()).rejects.toMatchObject({ fault: 'garbage' });
});

test('OC-ADAPT-5008 an error body without end is cut', async () => {
  await using peer = await startPeer((socket) => {
    socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    writeForever(socket);
  });
  await using adapter = openAt(peer);
  await expect(adapter.submit(requestOf(), collect().sink, never)).rejects.toMatchObject({
    fault: 'permanent',
    status: 400,
  });
});

test('OC-ADAPT-5008 a control answer without end is cut', async () => {
  await using peer = await startPeer((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    writeForever(socket);
  });
  await using adapter = openAt(peer);
  await expect(adapter.props()).rejects.toMatchObject({ fault: 'garbage' });
});

test('OC-ADAPT-5004 a health route that fails is down, not loading', async () => {
  await using peer = await startPeer((socket) =>
    socket.write('HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n'),
  );
  await using adapter = openAt(peer);
  expect(await adapter.health()).toEqual({ state: 'down', reason: 'health answered 500' });
});
