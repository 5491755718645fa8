import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readGgufHeader } from './gguf-header.ts';
import { createModelFacts } from './model-digest.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-digest-'));
});
afterEach(() => rm(folder, { recursive: true }));

const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A GGUF header as llama.cpp writes it: magic, version, counts, then key, type, value. */
function ggufHeader(fileType: number, keys = 2n): Buffer {
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const u64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  };
  const string = (text: string) => Buffer.concat([u64(BigInt(text.length)), Buffer.from(text)]);
  return Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(0n),
    u64(keys),
    string('general.architecture'),
    u32(8),
    string('llama'),
    string('general.file_type'),
    u32(4),
    u32(fileType),
  ]);
}

test('the digest is the SHA-256 of the whole file, over many chunks', async () => {
  const bytes = Buffer.alloc(3 * 256 * 1024 + 17, 'llama');
  const path = join(folder, 'model.bin');
  await writeFile(path, bytes);
  expect(await createModelFacts()(path)).toEqual({
    digest: sha256(bytes),
    quant: '',
    kvBytesPerToken: 0,
  });
});

test('an empty file has a digest too', async () => {
  const path = join(folder, 'empty.bin');
  await writeFile(path, '');
  expect((await createModelFacts()(path)).digest).toBe(sha256(Buffer.alloc(0)));
});

test('replicas that share a file hash it once, and a changed file again', async () => {
  const path = join(folder, 'model.bin');
  await writeFile(path, 'one');
  const read = createModelFacts();
  const [first, second] = await Promise.all([read(path), read(path)]);
  expect(second).toBe(first);
  expect(await read(path)).toBe(first);
  await writeFile(path, 'another');
  expect((await read(path)).digest).toBe(sha256(Buffer.from('another')));
});

test('a missing file fails those who wait, and is looked for again', async () => {
  const path = join(folder, 'late.bin');
  const read = createModelFacts();
  await expect(read(path)).rejects.toThrow('ENOENT');
  await writeFile(path, 'here');
  expect((await read(path)).digest).toBe(sha256(Buffer.from('here')));
});

test('the quantisation comes from the GGUF header', () => {
  expect(readGgufHeader(ggufHeader(15)).quant).toBe('Q4_K_M');
  expect(readGgufHeader(ggufHeader(1)).quant).toBe('F16');
});

test('a header that is cut off, unknown or no header gives no quantisation', () => {
  const header = ggufHeader(15);
  for (let length = 0; length < header.length; length++)
    expect(readGgufHeader(header.subarray(0, length)).quant).toBe('');
  expect(readGgufHeader(ggufHeader(9999)).quant).toBe('');
  expect(readGgufHeader(Buffer.from('PK\x03\x04')).quant).toBe('');
});

test('the size of KV comes from the shape of the model', async () => {
  const path = fileURLToPath(new URL('../../models/tiny-haiku.gguf', import.meta.url));
  // 4 layers × 6 KV heads × (32 + 32) values of 2 bytes.
  expect(await createModelFacts()(path)).toMatchObject({ quant: 'F16', kvBytesPerToken: 3072 });
});
