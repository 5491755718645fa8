import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { validateConfig, type Config } from '@llama-orch/contracts';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { KeyRing } from './auth/key-ring.ts';
import { HELP, runMakeKey } from './make-key.ts';

/** The key of the first line, and the configuration of the last ones. */
function printedBy(...args: string[]): { readonly key: string; readonly config: Config } {
  const { status, stdout, stderr } = runMakeKey(args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const checked = validateConfig(parse(stdout.slice(stdout.indexOf('auth:'))));
  if (!checked.ok) throw new Error(JSON.stringify(checked.details));
  return { key: stdout.split('\n')[0] ?? '', config: checked.value };
}

describe('OC-CTRL-2043 npm run key', () => {
  test('prints a key, and lines by which the daemon knows it', () => {
    const args = ['--tenant', 'acme', '--scopes', 'tasks:write, tasks:read', '--id', 'ci'];
    const { key, config } = printedBy(...args);
    expect(key).toMatch(/^lo_[A-Za-z0-9_-]{43}$/);
    expect(config.auth.keys).toHaveLength(1);
    expect(new KeyRing(config.auth.keys).find(key)).toEqual({
      tenantId: 'acme',
      keyId: 'ci',
      scopes: new Set(['tasks:write', 'tasks:read']),
    });
  });

  test('makes another key each time, and a name for it that fits', () => {
    const args = ['--tenant', 'x'.repeat(64), '--scopes', 'admin,admin'];
    const [one, two] = [printedBy(...args), printedBy(...args)];
    expect(one.key).not.toBe(two.key);
    expect(one.config.auth.keys[0]?.id).toMatch(/^x{59}-[0-9a-f]{4}$/);
    expect(one.config.auth.keys[0]?.scopes).toEqual(['admin']);
  });

  test('keeps ids that YAML would take for something else', () => {
    const { config } = printedBy('--tenant', '1e3', '--scopes', 'admin', '--id', '007');
    expect(config.auth.keys[0]).toMatchObject({ id: '007', tenant: '1e3' });
  });

  test.each([
    [[], '--tenant is required'],
    [['--tenant', 'a'], '--scopes is required'],
    [['--tenant', 'a', '--scopes', ''], '--scopes must be one of tasks:write'],
    [['--tenant', 'a', '--scopes', 'root'], '--scopes must be one of tasks:write'],
    [['--tenant', 'a b', '--scopes', 'admin', '--id', 'i'], '--tenant must be letters'],
    [['--tenant', 'a', '--scopes', 'admin', '--id', ''], '--id must not be empty'],
    [['--tenant'], "Option '--tenant <value>' argument missing"],
    [['--tennant', 'a'], "Unknown option '--tennant'"],
    [['acme'], 'acme'],
  ])('refuses %j and prints no key', (args, fault) => {
    const { status, stdout, stderr } = runMakeKey(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(fault);
    expect(stderr).not.toContain('lo_');
  });

  test('--help says how, as a program', () => {
    const script = fileURLToPath(new URL('make-key.ts', import.meta.url));
    const run = spawnSync(process.execPath, [script, '--help'], { encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stdout: HELP, stderr: '' });
    expect(spawnSync(process.execPath, [script], { encoding: 'utf8' }).status).toBe(2);
  });
});
