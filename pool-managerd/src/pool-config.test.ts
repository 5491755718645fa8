import { expect, test } from 'vitest';
import { poolSettings } from './pool-config.ts';
import type { PoolConfig } from './pool-config.ts';

const BASE: PoolConfig = {
  id: 'p',
  engine: 'llamacpp',
  launch: 'process',
  command: ['engine'],
  modelId: 'm',
  ctx: 1024,
};

test('settings that cannot describe a pool are refused at once', () => {
  expect(() => poolSettings({ ...BASE, command: [] })).toThrow('launch: process needs a command');
  expect(() => poolSettings({ ...BASE, launch: 'embedded' })).toThrow('needs a model path');
  expect(() => poolSettings({ ...BASE, launch: 'external' })).toThrow('needs endpoints');
  expect(() => poolSettings({ ...BASE, command: ['engine', '{prot}'] })).toThrow(
    'nothing to fill {prot} with',
  );
});

test('an external pool has one replica per endpoint', () => {
  const endpoints = ['http://a:1', 'http://b:1'];
  expect(poolSettings({ ...BASE, launch: 'external', endpoints }).replicas).toBe(2);
});

test('a part of a policy keeps the defaults of the rest', () => {
  const { restart, probe } = poolSettings({ ...BASE, restart: { baseMs: 1 } });
  expect(restart).toMatchObject({ baseMs: 1, maxMs: 30_000 });
  expect(probe.replaceAfter).toBeGreaterThan(probe.unreadyAfter);
});
