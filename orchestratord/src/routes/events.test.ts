import { pino } from 'pino';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createApp } from '../http/app.ts';
import { listen, type HttpServer } from '../http/server.ts';
import type { Ledger } from '../ledger/types.ts';
import { eventRoutes } from './events.ts';

const listeners = new Set<() => void>();
let server: HttpServer;

beforeAll(async () => {
  const router = eventRoutes({
    ledger: { readEvents: () => Promise.resolve([]) } as unknown as Ledger,
    heartbeatMs: 10,
    onEvents: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  });
  const app = createApp({ keys: undefined, log: pino({ level: 'silent' }), routers: [router] });
  const address = { host: '127.0.0.1', port: 0 };
  server = await listen(app, { ...address, headerTimeoutMs: 5_000, idleTimeoutMs: 5_000 });
});
afterAll(() => server.close(0));

test('a stream of events that its reader has left is forgotten, with its heartbeat', async () => {
  const stopped = vi.spyOn(globalThis, 'clearInterval');
  const left = new AbortController();
  const { body } = await fetch(`${server.url}/v1/events?stream=true`, { signal: left.signal });
  // Its first heartbeat.
  await body?.getReader().read();
  expect(listeners.size).toBe(1);
  expect(stopped).not.toHaveBeenCalled();
  left.abort();
  await vi.waitFor(() => expect(listeners.size).toBe(0), 10_000);
  expect(stopped).toHaveBeenCalled();
  stopped.mockRestore();
});
