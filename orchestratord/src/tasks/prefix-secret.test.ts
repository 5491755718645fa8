import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadPrefixSecret } from './prefix-secret.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prefix-secret-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('OC-CTRL-2085 a data folder keeps its secret, and only its owner can read it', () => {
  const secret = loadPrefixSecret(dir);
  expect(secret).toHaveLength(32);
  expect(Buffer.from(loadPrefixSecret(dir))).toEqual(Buffer.from(secret));
  expect(readdirSync(dir)).toEqual(['prefix.key']);
  expect(statSync(join(dir, 'prefix.key')).mode & 0o777).toBe(0o600);
});

test('OC-CTRL-2085 no two folders have the same one', () => {
  const first = loadPrefixSecret(dir);
  rmSync(join(dir, 'prefix.key'));
  expect(Buffer.from(loadPrefixSecret(dir))).not.toEqual(Buffer.from(first));
});

test('OC-CTRL-2085 a damaged one is replaced', () => {
  writeFileSync(join(dir, 'prefix.key'), 'short');
  const secret = loadPrefixSecret(dir);
  expect(secret).toHaveLength(32);
  expect(Buffer.from(loadPrefixSecret(dir))).toEqual(Buffer.from(secret));
});

test('OC-CTRL-2085 one that cannot be read is an error, and stays', () => {
  mkdirSync(join(dir, 'prefix.key'));
  expect(() => loadPrefixSecret(dir)).toThrow('EISDIR');
  expect(readdirSync(dir)).toEqual(['prefix.key']);
});
