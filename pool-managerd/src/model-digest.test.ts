import { createHash } from 'node:crypto';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readGgufHeader } from './gguf-header.ts';
import { createModelFacts, measureModel } from './model-digest.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-digest-'));
});
afterEach(() => rm(folder, { recursive: true }));

const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

const string = (text: string): Buffer =>
  Buffer.concat([u64(BigInt(text.length)), Buffer.from(text)]);

const ARRAY = 9;
const FLOAT = 6;
const STRING = 8;

/**
 * A GGUF header as llama.cpp writes it: magic, version, counts, then key, type, value.
 * @param between a type and value of another key, before the file's type
 */
function ggufHeader(fileType: number, between?: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(0n),
    u64(between === undefined ? 2n : 3n),
    string('general.architecture'),
    u32(STRING),
    string('llama'),
    ...(between === undefined ? [] : [string('general.other'), between]),
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

test('a file that changes while it is read has no digest, and is read again when asked for', async () => {
  const path = join(folder, 'copied.bin');
  const bytes = Buffer.alloc(32 * 256 * 1024);
  await writeFile(path, bytes);
  const read = createModelFacts();
  let isOver = false;
  const outcome = read(path).then(
    () => 'a digest',
    (error: Error) => error.message,
  );
  void outcome.then(() => (isOver = true));
  for (let second = 1; !isOver; second += 1) await utimes(path, second, second);
  expect(await outcome).toBe('the model file changed while it was read');
  expect((await read(path)).digest).toBe(sha256(bytes));
});

test('what is no readable file has no size', async () => {
  expect(await measureModel(folder)).toBeUndefined();
  expect(await measureModel(join(folder, 'missing.gguf'))).toBeUndefined();
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

test('an array of numbers is passed over', () => {
  const floats = Buffer.concat([u32(ARRAY), u32(FLOAT), u64(3n), Buffer.alloc(12)]);
  expect(readGgufHeader(ggufHeader(15, floats)).quant).toBe('Q4_K_M');
});

test.each([
  ['an array of strings', Buffer.concat([u32(ARRAY), u32(STRING), u64(1n), string('a')])],
  ['a value of an unknown type', Buffer.concat([u32(99), Buffer.alloc(8)])],
])('nothing is read past %s', (_, between) => {
  expect(readGgufHeader(ggufHeader(15, between)).quant).toBe('');
});

test('the size of KV comes from the shape of the model', async () => {
  const path = fileURLToPath(new URL('../../models/tiny-haiku.gguf', import.meta.url));
  // 4 layers × 6 KV heads × (32 + 32) values of 2 bytes.
  expect(await createModelFacts()(path)).toMatchObject({ quant: 'F16', kvBytesPerToken: 3072 });
});
