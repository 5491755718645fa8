/**
 * `npm run demo`: the main job by itself. Starts the daemon on a free port with a data directory of its
 * own, posts a haiku task, prints the tokens as they come and the figures of the run, and stops.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { EndEvent, ErrorEvent, StartedEvent, TokenEvent } from '@llama-orch/contracts';

const PROMPT = 'Write a haiku about rain.';
const START_TIMEOUT_MS = 60_000;
const STREAM_TIMEOUT_MS = 60_000;

async function main(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'llama-orch-demo-'));
  const daemon = spawn(
    process.execPath,
    [fileURLToPath(new URL('./start.js', import.meta.url)), '--port', '0', '--data-dir', dataDir],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, LLAMA_ORCH_LOG_LEVEL: 'warn' } },
  );
  const exited = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  try {
    const url = await withProgress('Loading the model', readyUrl(daemon));
    process.stdout.write(`llama-orch at ${url}, engine: llama.cpp (embedded), model: tiny-haiku\n`);
    process.stdout.write(`POST /v1/tasks {"prompt":"${PROMPT}"}\n\n`);
    await runTask(url);
  } finally {
    daemon.kill('SIGTERM');
    await exited;
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function readyUrl(daemon: ReturnType<typeof spawn>): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the daemon did not start')), START_TIMEOUT_MS);
    if (daemon.stdout === null) return;
    createInterface({ input: daemon.stdout }).on('line', (line) => {
      const url = /^llama-orch ready on (\S+)$/.exec(line)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
    daemon.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the daemon exited with ${code ?? 'a signal'} before it was ready`));
    });
  });
}

async function runTask(url: string): Promise<void> {
  const response = await fetch(`${url}/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ prompt: PROMPT }),
    signal: AbortSignal.timeout(STREAM_TIMEOUT_MS),
  });
  if (!response.ok || response.body === null) {
    throw new Error(`POST /v1/tasks answered ${response.status}: ${await response.text()}`);
  }
  let ended = false;
  for await (const { event, data } of events(response.body)) {
    if (event === 'started') {
      const started = data as StartedEvent;
      process.stdout.write(`seed ${started.seed ?? ''} on ${started.replica_id ?? ''}\n\n`);
    } else if (event === 'token') {
      process.stdout.write((data as TokenEvent).t);
    } else if (event === 'end') {
      process.stdout.write(summary(data as EndEvent));
      ended = true;
    } else if (event === 'error') {
      const { code, message } = data as ErrorEvent;
      throw new Error(`the task failed: ${code} ${message}`);
    }
  }
  if (!ended) throw new Error('the stream broke off before its end');
}

function summary(end: EndEvent): string {
  const rate =
    end.decode_ms > 0 ? `, ${Math.round((end.tokens_out * 1000) / end.decode_ms)} tokens/s` : '';
  return [
    '',
    '',
    `${end.tokens_in ?? 0} tokens in, ${end.tokens_out} out (${end.finish_reason ?? ''}), ` +
      `queued ${end.queue_ms ?? 0} ms, first token after ${end.ttft_ms ?? 0} ms, decoded in ${end.decode_ms} ms${rate}`,
    `sha256 of the output: ${end.output_sha256 ?? ''}`,
    '',
  ].join('\n');
}

interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let pending = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (pending + chunk).split('\n\n');
    pending = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) };
    }
  }
}

/** On a terminal, shows that something is happening. */
async function withProgress<T>(label: string, work: Promise<T>): Promise<T> {
  if (!process.stdout.isTTY) return work;
  const frames = ['   ', '.  ', '.. ', '...'];
  let tick = 0;
  const timer = setInterval(() => {
    process.stdout.write(`\r${label}${frames[tick % frames.length] ?? ''}`);
    tick += 1;
  }, 150);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    process.stdout.write(`\r${' '.repeat(label.length + 4)}\r`);
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
