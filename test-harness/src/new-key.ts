import { randomBytes } from 'node:crypto';

/** An API key as `npm run key` makes them (OC-CTRL-2043). */
export function newKey(): string {
  return `lo_${randomBytes(32).toString('base64url')}`;
}
