/**
 * The installation's secret for the hashes of prompts (`prompt-blocks.ts`). Nobody who can only send
 * prompts knows it, so nobody can make one whose hashes are those of another tenant's. It is kept beside
 * the ledger, because the tasks that wait there over a restart carry their hashes with them.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'prefix.key';
const BYTES = 32;

/**
 * The secret of a data folder, which exists; made when there is none, or one that is damaged. Call it
 * while the folder is this process's own.
 * @throws Error of the file system when it can neither be read nor written
 */
export function loadPrefixSecret(dataDir: string): Uint8Array {
  const path = join(dataDir, FILE);
  const known = read(path);
  if (known?.length === BYTES) return known;
  const secret = randomBytes(BYTES);
  const fresh = `${path}.new`;
  writeFileSync(fresh, secret, { mode: 0o600, flush: true });
  renameSync(fresh, path);
  return secret;
}

function read(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
