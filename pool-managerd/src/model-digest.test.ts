import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ggufQuant } from './gguf-quant.ts';
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
  expect(await createModelFacts()(path)).toEqual({ digest: sha256(bytes), quant: '' });
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
  expect(ggufQuant(ggufHeader(15))).toBe('Q4_K_M');
  expect(ggufQuant(ggufHeader(1))).toBe('F16');
});

test('a header that is cut off, unknown or no header gives no quantisation', () => {
  const header = ggufHeader(15);
  for (let length = 0; length < header.length; length++)
    expect(ggufQuant(header.subarray(0, length))).toBe('');
  expect(ggufQuant(ggufHeader(9999))).toBe('');
  expect(ggufQuant(Buffer.from('PK\x03\x04'))).toBe('');
});
