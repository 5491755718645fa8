import type { KeyConfig } from '@llama-orch/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { KeyRing, hashKey, makeKey } from './key-ring.ts';

function configured(key: string, fields: Partial<KeyConfig> = {}): KeyConfig {
  const sha256 = hashKey(key).toString('hex');
  return { id: 'k', tenant: 'acme', sha256, scopes: ['tasks:read'], ...fields };
}

describe('OC-CTRL-2040 a ring of keys', () => {
  const keys = Array.from({ length: 50 }, makeKey);
  const ring = new KeyRing(keys.map((key, i) => configured(key, { id: `k${i}` })));

  test('knows each of its keys by what was configured', () => {
    for (const [i, key] of keys.entries()) {
      expect(ring.find(key)).toEqual({
        tenantId: 'acme',
        keyId: `k${i}`,
        scopes: new Set(['tasks:read']),
      });
    }
  });

  test('knows no other text', () => {
    const [key = ''] = keys;
    const texts = fc.oneof(
      fc.string({ maxLength: 80 }),
      fc.constantFrom('', 'lo_', key.slice(0, -1), `${key}A`, ` ${key}`, `${key}\n`),
      fc.constant(undefined).map(makeKey),
      fc.nat({ max: key.length - 1 }).map((i) => key.slice(0, i) + '-' + key.slice(i + 1)),
    );
    fc.assert(
      fc.property(texts, (text) => {
        if (!keys.includes(text)) expect(ring.find(text)).toBeUndefined();
      }),
    );
    expect(ring.find(hashKey(key).toString('hex'))).toBeUndefined();
  });

  test('is not misled by another key whose hash begins alike', () => {
    const key = makeKey();
    const sha256 = hashKey(key).toString('hex');
    const lookalike = sha256.slice(0, 8) + '0'.repeat(56);
    const both = new KeyRing([
      configured(key, { id: 'other', sha256: lookalike }),
      configured(key, { id: 'mine' }),
    ]);
    expect(both.find(key)?.keyId).toBe('mine');
    expect(new KeyRing([configured(key, { sha256: lookalike })]).find(key)).toBeUndefined();
  });
});

test('OC-CTRL-2043 a key is 256 random bits in base64url', () => {
  const keys = new Set(Array.from({ length: 100 }, makeKey));
  expect(keys.size).toBe(100);
  for (const key of keys) {
    expect(key).toMatch(/^lo_[A-Za-z0-9_-]{43}$/);
    expect(Buffer.from(key.slice(3), 'base64url')).toHaveLength(32);
  }
});
