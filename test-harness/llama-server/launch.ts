/** Starts real `llama-server`s: by themselves, or by a daemon as the replicas of a pool. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { TINY_HAIKU, type PoolInput } from '../src/temp-config.ts';
import { within } from '../src/wait-for.ts';

/**
 * What makes output depend on the request alone, as far as llama.cpp lets one choose: one thread, no
 * memory of earlier prompts beside the slots, nothing fitted to the machine.
 */
const REPRODUCIBLE = [
  ...['-t', '1', '-tb', '1', '-fit', 'off'],
  ...['--cache-ram', '0', '--no-cache-idle-slots', '--ctx-checkpoints', '0'],
];
const HOUSE_FLAGS = ['--no-ui', '--offline', '--metrics', '--slots', '--log-colors', 'off'];

const START_MS = 30_000;

export interface ServerOptions {
  readonly slots?: number;
  /** Context of one slot, tokens. */
  readonly ctx?: number;
  readonly flags?: readonly string[];
}

export interface RealServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Everything it wrote to its log. */
  readonly log: () => string;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts a server with tiny-haiku and waits until it listens, which is when the model is loaded.
 * @throws Error with its log when it ends before that
 */
export async function startRealServer(
  binary: string,
  options: ServerOptions = {},
): Promise<RealServer> {
  const { slots = 1, ctx = 1024, flags = [] } = options;
  const args = [
    ...['-m', TINY_HAIKU, '-a', 'tiny-haiku'],
    ...['-c', String(slots * ctx), '-np', String(slots)],
    ...['--host', '127.0.0.1', '--port', '0'],
    ...[...REPRODUCIBLE, ...HOUSE_FLAGS, ...flags],
  ];
  // LLAMA_ARG_* of the environment would change what runs.
  const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
  running.add(child);
  const closed = once(child, 'close').finally(() => running.delete(child));
  let log = '';
  const listening = Promise.withResolvers<string>();
  createInterface(child.stderr).on('line', (line) => {
    log += `${line}\n`;
    const url = /listening on (http:\/\/\S+)/.exec(line)?.[1];
    if (url !== undefined) listening.resolve(url);
  });
  closed.then(
    () => listening.reject(new Error(`llama-server ended before it served\n${log}`)),
    listening.reject,
  );
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await closed;
  };
  try {
    const url = await within('llama-server to listen', listening.promise, START_MS);
    return { url, pid: child.pid ?? 0, log: () => log, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A pool whose replicas are servers that the daemon starts itself. */
export function realPool(
  binary: string,
  overrides: PoolInput = {},
  flags: readonly string[] = [],
): PoolInput {
  return {
    id: 'default',
    launch: 'process',
    model: { id: 'tiny-haiku', path: TINY_HAIKU },
    command: [
      binary,
      ...['-m', '{model}', '-a', '{alias}', '-c', '{ctx_total}', '-np', '{slots}'],
      ...['--host', '{host}', '--port', '{port}'],
      ...[...REPRODUCIBLE, ...HOUSE_FLAGS, ...flags],
    ],
    replicas: 2,
    determinism: 'exact',
    ctx: 1024,
    restart: { initial_delay_ms: 50, max_delay_ms: 200, max_restarts: 1000 },
    ...overrides,
  };
}
