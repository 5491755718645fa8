/** The engines that the benchmarks put behind the daemon, each a process of its own. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { BenchContext } from './bench.ts';
import { PROJECT_ROOT, type PoolSetup } from './daemon.ts';
import { startProgram, type Program } from './program.ts';

/** The simulator of llama-server; `flags` as in test-harness/engines/llamacpp/main.ts. */
export function startSimulator(context: BenchContext, flags: readonly string[]): Promise<Program> {
  const dir = context.newDir('simulator');
  return startProgram({
    name: 'the simulator',
    args: [join(PROJECT_ROOT, 'test-harness/engines/llamacpp/main.ts'), ...flags],
    cwd: dir,
    logFile: join(dir, 'simulator.log'),
  });
}

/** The engine that ships with the project, serving the model that ships with it. */
export function startEmbedded(context: BenchContext): Promise<Program> {
  const dir = context.newDir('embedded');
  return startProgram({
    name: 'the embedded engine',
    args: [
      join(PROJECT_ROOT, 'worker-adapters/llamacpp-embedded/main.ts'),
      ...['--model', join(PROJECT_ROOT, 'models/tiny-haiku.gguf')],
    ],
    cwd: dir,
    logFile: join(dir, 'embedded.log'),
  });
}

/** An address where nothing listens. */
export async function deadEndpoint(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

/** A pool in front of an engine that runs already. */
export function externalPool(
  id: string,
  endpoint: string,
  more: Readonly<Record<string, unknown>> = {},
): PoolSetup {
  return { id, launch: 'external', endpoints: [endpoint], model: { id }, ...more };
}
