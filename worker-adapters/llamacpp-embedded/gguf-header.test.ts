import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TINY_HAIKU } from './engine-process-fixture.ts';
import { checkGgufHeader } from './gguf-header.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'gguf-header-'));
});
afterAll(() => rm(folder, { recursive: true }));

function header(version: number, tensors: bigint, entries: bigint): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write('GGUF');
  bytes.writeUInt32LE(version, 4);
  bytes.writeBigUInt64LE(tensors, 8);
  bytes.writeBigUInt64LE(entries, 16);
  return bytes;
}

test('a model passes', async () => {
  await expect(checkGgufHeader(TINY_HAIKU)).resolves.toBeUndefined();
});

test.each([
  ['an empty file', Buffer.alloc(0), 'not a GGUF file'],
  ['another format', Buffer.alloc(64, 'x'), 'not a GGUF file'],
  ['a version from nowhere', header(77, 1n, 1n), 'unsupported GGUF version'],
  ['more tensors than bytes', header(3, 1n << 60n, 1n), 'the GGUF header is corrupt'],
  ['more metadata than bytes', header(3, 1n, 1000n), 'the GGUF header is corrupt'],
])('%s is refused', async (name, bytes, message) => {
  const file = path.join(folder, `${name}.gguf`);
  await writeFile(file, bytes);
  await expect(checkGgufHeader(file)).rejects.toThrow(message);
});

test('a missing file is refused by name of the error', async () => {
  await expect(checkGgufHeader(path.join(folder, 'none.gguf'))).rejects.toThrow('ENOENT');
});
