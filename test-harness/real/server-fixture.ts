/** Real servers for test files, with adapters opened on them. */
import { openLlamaCpp, type WorkerAdapter } from '@llama-orch/worker-adapters';
import { afterAll, beforeAll, inject } from 'vitest';
import { startRealServer, type RealServer, type ServerOptions } from '../llama-server/launch.ts';
import { waitFor } from '../src/wait-for.ts';
import { PATIENT, slotsOf } from './completion.ts';

/** The slots and the context of each that the files' servers have. */
export const SLOTS = 4;
export const CTX = 256;
const MAX_STREAMS = 16;

function openAt(url: string): WorkerAdapter {
  return openLlamaCpp({ url, timeouts: PATIENT, maxStreams: MAX_STREAMS });
}

export interface Served extends AsyncDisposable {
  readonly server: RealServer;
  readonly adapter: WorkerAdapter;
}

/** A server with an adapter on it, for one test. */
export async function serve(options: ServerOptions = {}): Promise<Served> {
  const server = await startRealServer(inject('llamaServer'), options);
  const adapter = openAt(server.url);
  return {
    server,
    adapter,
    async [Symbol.asyncDispose]() {
      await adapter[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The same for all tests of a file: runs from before the first to after the last. */
export function serveAll(flags: readonly string[] = []): Pick<Served, 'server' | 'adapter'> {
  let served: Served;
  beforeAll(async () => {
    served = await serve({ slots: SLOTS, ctx: CTX, flags });
  });
  afterAll(() => served[Symbol.asyncDispose]());
  return {
    get server() {
      return served.server;
    },
    get adapter() {
      return served.adapter;
    },
  };
}

export function untilIdle({ url }: RealServer): Promise<true> {
  return waitFor('all slots to be free', async () =>
    (await slotsOf(url)).every((slot) => !slot.is_processing),
  );
}
