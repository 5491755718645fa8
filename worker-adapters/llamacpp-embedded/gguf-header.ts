import { open } from 'node:fs/promises';

/** Fixed part of a GGUF file: magic, version, number of tensors, number of metadata entries. */
const HEADER_BYTES = 24;
/** An entry has at least a name length (8) and a type (4); a tensor more. */
const MIN_ENTRY_BYTES = 12;
const VERSIONS = [2, 3];

/**
 * Refuses files whose header cannot be that of a model. A reader that believes a garbled count goes
 * on for hours.
 * @throws Error when the file cannot be read or is no GGUF model.
 */
export async function checkGgufHeader(modelPath: string): Promise<void> {
  await using file = await open(modelPath);
  const { size } = await file.stat();
  const { buffer, bytesRead } = await file.read({
    buffer: Buffer.alloc(HEADER_BYTES),
    position: 0,
  });
  if (bytesRead < HEADER_BYTES || buffer.toString('latin1', 0, 4) !== 'GGUF') {
    throw new Error('not a GGUF file');
  }
  if (!VERSIONS.includes(buffer.readUInt32LE(4))) throw new Error('unsupported GGUF version');
  const entries = buffer.readBigUInt64LE(8) + buffer.readBigUInt64LE(16);
  if (entries * BigInt(MIN_ENTRY_BYTES) > size) throw new Error('the GGUF header is corrupt');
}
