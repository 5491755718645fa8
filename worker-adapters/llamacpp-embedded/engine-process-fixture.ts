import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
export const TINY_HAIKU = fileURLToPath(new URL('../../models/tiny-haiku.gguf', import.meta.url));

/** A running engine process, as its owner sees it. */
export interface EngineProcess extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
  /** Everything printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Settles with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;
}

/** Starts an engine and waits until its socket is open, which is before its model is loaded. */
export async function spawnEngine(...args: readonly string[]): Promise<EngineProcess> {
  const child = spawn(process.execPath, [MAIN, '--alias', 'tiny-haiku', ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exited = once(child, 'close').then(
    ([code, signal]: unknown[]) => (code ?? signal) as number | string,
  );
  const listening = once(createInterface(child.stdout), 'line').then(([line]: unknown[]) =>
    String(line).replace('listening on ', ''),
  );
  const url = await Promise.race([listening, exited.then(() => '')]);
  return {
    url,
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Starts an engine and waits until it serves. */
export async function startEngine(...args: readonly string[]): Promise<EngineProcess> {
  const engine = await spawnEngine('--model', TINY_HAIKU, ...args);
  while ((await fetch(`${engine.url}/health`)).status !== 200) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return engine;
}

export interface WireProb {
  readonly id: number;
  readonly token: string;
  readonly logprob: number;
  readonly top_logprobs?: readonly WireProb[];
}

export interface Answer {
  readonly content: string;
  readonly tokens: readonly number[];
  readonly completion_probabilities?: readonly WireProb[];
  readonly stop_type: string;
  readonly id_slot: number;
  readonly tokens_predicted: number;
  readonly tokens_evaluated: number;
  readonly truncated: boolean;
  readonly timings: { readonly cache_n: number; readonly predicted_per_second: number };
}

export async function post(engine: EngineProcess, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(engine.url + path, { method: 'POST', body: JSON.stringify(body) });
  return await response.json();
}

export async function complete(engine: EngineProcess, body: object): Promise<Answer> {
  return (await post(engine, '/completion', { return_tokens: true, ...body })) as Answer;
}

/** The objects of a whole stream. */
export async function completeStream(engine: EngineProcess, body: object): Promise<Answer[]> {
  const response = await fetch(`${engine.url}/completion`, {
    method: 'POST',
    body: JSON.stringify({ ...body, stream: true }),
  });
  const events = (await response.text()).trim().split('\n\n');
  return events.map((event) => JSON.parse(event.replace(/^data: /, '')) as Answer);
}
