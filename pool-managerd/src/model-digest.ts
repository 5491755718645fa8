/**
 * What identifies a model file, its SHA-256, and what its header tells. Replicas that share a file hash it
 * once; a file that changed (size, modification time or inode) is hashed again.
 */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { readGgufHeader } from './gguf-header.ts';
import type { GgufHeader } from './gguf-header.ts';
import type { ModelSize } from './headroom.ts';

export interface ModelFacts extends GgufHeader {
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
}

export type ReadModelFacts = (path: string) => Promise<ModelFacts>;

/**
 * Hashed between two turns of the event loop. At 1 GB/s or more this is a quarter of a millisecond:
 * other work in the process is not held up while a large model is read.
 */
const CHUNK_BYTES = 256 * 1024;

export function createModelFacts(): ReadModelFacts {
  const known = new Map<
    string,
    { readonly version: string; readonly facts: Promise<ModelFacts> }
  >();
  return async (path) => {
    const version = await fileVersion(path);
    const entry = known.get(path);
    if (entry?.version === version) return entry.facts;
    const facts = readFacts(path, version);
    known.set(path, { version, facts });
    // A failure is for those who wait now; the next replica tries again.
    facts.catch(() => {
      if (known.get(path)?.facts === facts) known.delete(path);
    });
    return facts;
  };
}

/**
 * The size of a model without reading it through: its length and its header. Undefined for what is not a
 * readable file, such as the name of a model that the engine fetches for itself.
 */
export async function measureModel(path: string): Promise<ModelSize | undefined> {
  try {
    await using file = await open(path);
    const status = await file.stat();
    if (!status.isFile()) return undefined;
    const head = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await file.read(head, 0, CHUNK_BYTES, 0);
    const { kvBytesPerToken } = readGgufHeader(head.subarray(0, bytesRead));
    return { bytes: status.size, kvBytesPerToken };
  } catch {
    return undefined;
  }
}

async function fileVersion(path: string): Promise<string> {
  const { size, mtimeNs, ino } = await stat(path, { bigint: true });
  return `${size}:${mtimeNs}:${ino}`;
}

async function readFacts(path: string, version: string): Promise<ModelFacts> {
  await using file = await open(path);
  const facts = await digestOf(file);
  if ((await fileVersion(path)) !== version)
    throw new Error('the model file changed while it was read');
  return facts;
}

async function digestOf(file: FileHandle): Promise<ModelFacts> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let header = readGgufHeader(Buffer.alloc(0));
  for (let position = 0; ;) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, position);
    const bytes = chunk.subarray(0, bytesRead);
    if (position === 0) header = readGgufHeader(bytes);
    if (bytesRead === 0) break;
    hash.update(bytes);
    position += bytesRead;
  }
  return { digest: `sha256:${hash.digest('hex')}`, ...header };
}
