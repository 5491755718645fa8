import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

interface Running extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
  /** Exit code. */
  readonly exited: Promise<number | null>;
}

async function run(...args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const url = /^listening on (http:\S+)\n$/.exec(line.toString())?.[1];
  if (url === undefined) throw new Error('the simulator did not say where it listens');
  return {
    url,
    child,
    exited,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

const complete = (url: string, fault: object) =>
  request(`${url}/completion`, {
    method: 'POST',
    headers: { 'x-sim-fault': JSON.stringify(fault) },
    body: JSON.stringify({ prompt: 'p', seed: 1, stream: true }),
  });

test('the exit fault ends the process with its code, in mid-stream', async () => {
  await using sim = await run();
  const { body } = await complete(sim.url, { kind: 'exit', after_tokens: 2, code: 134 });
  await expect(body.text()).rejects.toThrow();
  expect(await sim.exited).toBe(134);
});

test('a poisonous prompt ends it, and the log of faults names what was hit', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'llama-orch-sim-'));
  const log = join(directory, 'faults.jsonl');
  await using sim = await run('--poison', 'hemlock', '--fault-log', log);
  const post = (path: string, body: object) =>
    request(`${sim.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  const well = await post('/completion', { prompt: 'tea', stream: true });
  expect(await well.body.text()).toContain('"stop":true');
  const cut = await request(`${sim.url}/v1/embeddings`, {
    method: 'POST',
    headers: { 'x-sim-fault': '{"kind":"cut"}' },
    body: JSON.stringify({ input: ['a text'] }),
  });
  await expect(cut.body.text()).rejects.toThrow();
  await expect(
    post('/completion', { prompt: 'a cup of hemlock', stream: true }).then(({ body }) =>
      body.text(),
    ),
  ).rejects.toThrow();
  expect(await sim.exited).toBe(134);
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { fault: { kind: 'cut' }, text: '{"input":["a text"]}' },
    { fault: { kind: 'exit', code: 134 }, text: 'a cup of hemlock' },
  ]);
  rmSync(directory, { recursive: true });
});

test('SIGTERM while idle ends it cleanly', async () => {
  await using sim = await run();
  sim.child.kill('SIGTERM');
  expect(await sim.exited).toBe(0);
});

test('after SIGTERM an open stream gets no end and keeps the process until its client leaves', async () => {
  await using sim = await run('--tokens', '1000', '--token-delay-ms', '1');
  const { body } = await complete(sim.url, { kind: 'stall', after_tokens: 1 });
  await once(body, 'readable');
  let ended = false;
  body.on('end', () => (ended = true)).on('error', () => {});
  sim.child.kill('SIGTERM');
  await expect.poll(() => refuses(sim.url), { timeout: 10_000 }).toBe(true);
  expect(sim.child.exitCode).toBe(null);
  expect(ended).toBe(false);
  body.destroy();
  expect(await sim.exited).toBe(0);
});

async function refuses(url: string): Promise<boolean> {
  try {
    const answer = await request(`${url}/health`, { reset: true });
    await answer.body.dump();
    return false;
  } catch {
    return true;
  }
}
