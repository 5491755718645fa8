/** The configured API keys, known by their hashes. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyConfig } from '@llama-orch/contracts';
import type { Identity } from './identity.ts';

const PREFIX = 'lo_';
const KEY_BYTES = 32;
/** 256 bits in base64url. A key of any other form cannot be used, so none can be weak by choice. */
const KEY = /^lo_[A-Za-z0-9_-]{43}$/;

/** A new random key. The only place it ever exists is with whoever asked for it. */
export function makeKey(): string {
  return PREFIX + randomBytes(KEY_BYTES).toString('base64url');
}

/**
 * What the configuration holds of a key. One round of SHA-256 is enough for 256 random bits: slow, salted
 * hashes guard passwords, which can be guessed.
 */
export function hashKey(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

interface KnownKey {
  readonly digest: Buffer;
  readonly identity: Identity;
}

export class KeyRing {
  readonly #byPrefix = new Map<number, readonly KnownKey[]>();

  constructor(keys: readonly KeyConfig[]) {
    for (const { id, tenant, sha256, scopes } of keys) {
      const digest = Buffer.from(sha256, 'hex');
      const known = {
        digest,
        identity: { tenantId: tenant, keyId: id, scopes: new Set(scopes) },
      };
      const prefix = prefixOf(digest);
      this.#byPrefix.set(prefix, [...(this.#byPrefix.get(prefix) ?? []), known]);
    }
  }

  /**
   * Whose key it is, or undefined. Takes about a microsecond for any number of keys.
   *
   * The time of the look-up depends on a prefix of the hash only. Who measures it learns hash bits of a
   * key of ours, at best, and cannot turn them into the key; the rest is compared in constant time.
   */
  find(key: string): Identity | undefined {
    if (!KEY.test(key)) return undefined;
    const digest = hashKey(key);
    return this.#byPrefix
      .get(prefixOf(digest))
      ?.find((known) => timingSafeEqual(known.digest, digest))?.identity;
  }
}

function prefixOf(digest: Buffer): number {
  return digest.readUInt32BE(0);
}
