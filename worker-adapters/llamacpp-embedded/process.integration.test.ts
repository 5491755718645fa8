import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  spawnEngine,
  startEngine,
  TINY_HAIKU,
  type EngineProcess,
} from './engine-process-fixture.ts';

/** A stream that would go on for hundreds of milliseconds, and its first chunk read. */
async function openStream({
  url,
}: EngineProcess): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const response = await fetch(`${url}/completion`, {
    method: 'POST',
    body: JSON.stringify({ prompt: 'rain', ignore_eos: true, stream: true }),
  });
  const reader = response.body!.getReader();
  await reader.read();
  return reader;
}

async function rest(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += Buffer.from(value).toString('utf8');
  }
}

test('OC-EMBED-4101 the socket opens before the model is loaded, and stdout has one line', async () => {
  await using engine = await spawnEngine('--model', TINY_HAIKU);
  const first = await fetch(`${engine.url}/health`);
  expect(first.status).toBe(503);
  expect(await first.json()).toMatchObject({ error: { message: 'Loading model' } });
  while ((await fetch(`${engine.url}/v1/health`)).status !== 200);
  engine.child.kill('SIGTERM');
  expect(await engine.exited).toBe(0);
  expect(engine.stdout()).toBe(`listening on ${engine.url}\n`);
});

test('OC-EMBED-4150 SIGTERM ends open streams with an error and exits 0 within two seconds', async () => {
  await using engine = await startEngine('--ctx', '2048');
  const reader = await openStream(engine);
  const signalled = performance.now();
  engine.child.kill('SIGTERM');
  const tail = await rest(reader);
  expect(tail).toContain('data: {"error":{"code":503');
  expect(await engine.exited).toBe(0);
  expect(performance.now() - signalled).toBeLessThan(2000);
});

test('SIGTERM while the model loads exits 0', async () => {
  await using engine = await spawnEngine('--model', TINY_HAIKU);
  engine.child.kill('SIGTERM');
  expect(await engine.exited).toBe(0);
});

test('OC-EMBED-4151 with --parent-stdin the engine ends when the other end of its stdin is gone', async () => {
  await using engine = await startEngine('--parent-stdin');
  engine.child.stdin?.destroy();
  expect(await engine.exited).toBe(0);
});

test('OC-EMBED-4152 a file that is no model, half of one, and a missing one exit 1, and the last line says why', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'llamacpp-embedded-'));
  try {
    const broken = path.join(folder, 'broken.gguf');
    await writeFile(broken, 'GGUF but not really a model');
    const truncated = path.join(folder, 'truncated.gguf');
    const whole = await readFile(TINY_HAIKU);
    await writeFile(truncated, whole.subarray(0, whole.length / 2));
    for (const model of [broken, truncated, path.join(folder, 'missing.gguf')]) {
      await using engine = await spawnEngine('--model', model);
      expect(await engine.exited).toBe(1);
      const lastLine = engine.stderr().trim().split('\n').at(-1);
      expect(lastLine).toMatch(/^llamacpp-embedded: cannot load .+\.gguf: \S+/);
      expect(lastLine).toContain(model);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('bad arguments and a taken port exit 1 and say why', async () => {
  await using bad = await spawnEngine('--slots', '-1');
  expect(await bad.exited).toBe(1);
  expect(bad.stderr()).toContain('--slots');
  await using first = await spawnEngine('--model', TINY_HAIKU);
  await using second = await spawnEngine('--model', TINY_HAIKU, '--port', new URL(first.url).port);
  expect(await second.exited).toBe(1);
  expect(second.stderr()).toContain('EADDRINUSE');
});
