/**
 * The engine process: serves one GGUF model with llama.cpp on the CPU. Prints one line on stdout,
 * `listening on http://HOST:PORT`, as soon as the socket is open; logs go to stderr. Exits 0 when
 * told to stop, 1 when it cannot serve.
 */
import { once } from 'node:events';
import { enableCompileCache, flushCompileCache } from 'node:module';
import type { AddressInfo } from 'node:net';
import { createEngineContext } from './engine-context.ts';
import { parseEngineArgs, USAGE, type EngineOptions } from './engine-options.ts';
import { checkGgufHeader } from './gguf-header.ts';
import { createEngineServer, type EngineServer } from './server.ts';

/** Longest wait for open requests to be answered after a signal, ms. */
const STOP_LIMIT_MS = 1500;

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

function fail(message: string): never {
  log(`llamacpp-embedded: ${message}`);
  process.exit(1);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}

function optionsOrFail(): EngineOptions {
  try {
    return parseEngineArgs(process.argv.slice(2));
  } catch (error) {
    fail(`${messageOf(error)}\n${USAGE}`);
  }
}

/** A second signal, or a stop that takes too long, ends the process at once. */
function stopOnSignals({ server, stop }: EngineServer, parentStdin: boolean): void {
  let signals = 0;
  const stopThenExit = () => {
    setTimeout(() => process.exit(0), STOP_LIMIT_MS).unref();
    server.close();
    void stop().then(() => {
      server.closeAllConnections();
      process.exit(0);
    });
  };
  const onSignal = () => {
    signals += 1;
    if (signals > 1) process.exit(1);
    stopThenExit();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  if (parentStdin) process.stdin.on('end', stopThenExit).on('error', stopThenExit).resume();
}

const options = optionsOrFail();
// Spares about a third of the time node-llama-cpp takes to import, from the second start on.
enableCompileCache();
const engineServer = createEngineServer(Date.now(), (error) =>
  log(`request failed: ${messageOf(error)}`),
);
const { server } = engineServer;
stopOnSignals(engineServer, options.parentStdin);
try {
  server.listen(options.port, options.host);
  await once(server, 'listening');
} catch (error) {
  fail(`cannot listen on ${options.host}:${options.port}: ${messageOf(error)}`);
}
const { port } = server.address() as AddressInfo;
const host = options.host.includes(':') ? `[${options.host}]` : options.host;
process.stdout.write(`listening on http://${host}:${port}\n`);
try {
  await checkGgufHeader(options.modelPath);
  // Imported late: the library takes longer to load than the socket to open.
  const { loadLlamaModel } = await import('./llama-model.ts');
  const model = await loadLlamaModel(options, log);
  engineServer.ready(createEngineContext(options, model));
  log(`ready: ${options.alias}, ${options.slots} slots of ${model.ctx} tokens, ${model.buildInfo}`);
  flushCompileCache();
} catch (error) {
  fail(`cannot load ${options.modelPath}: ${messageOf(error)}`);
}
