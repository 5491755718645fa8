import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { POLICIES } from './policies/catalogue.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-main-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TIMEOUT_MS = 60_000;

function sim(...args: readonly string[]) {
  const main = join(import.meta.dirname, 'main.ts');
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: TIMEOUT_MS });
}

test('one command prints the table and writes figures and chart', () => {
  const json = join(folder, 'out.json');
  const svg = join(folder, 'out.svg');
  const policies = POLICIES.map(({ name }) => name);
  const run = sim(
    ...['--trace', 'generated', '--replicas', '2', '--cache-tokens', '100000'],
    ...['--policy', policies.join(), '--json', json, '--svg', svg],
  );
  expect(run.stderr).toBe('');
  expect(run.status).toBe(0);
  const lines = run.stdout.split('\n');
  expect(lines[1]).toMatch(/^bound /);
  for (const [index, name] of policies.entries()) {
    expect(lines[index + 2]?.startsWith(`${name} `)).toBe(true);
  }
  const written = JSON.parse(readFileSync(json, 'utf8')) as { policies: { policy: string }[] };
  expect(written.policies.map(({ policy }) => policy)).toEqual(policies);
  const drawn = readFileSync(svg, 'utf8');
  expect(drawn.startsWith('<svg ')).toBe(true);
  expect(drawn).not.toMatch(/NaN|undefined/);
  expect(drawn.match(/<polyline /g)).toHaveLength(policies.length + 1);
});

test('tenants that are named with a weight get lines of their own', () => {
  const run = sim(...['--trace', 'generated', '--policy', 'llama-orch', '--tenants', 't0:1,t3:4']);
  expect(run.status).toBe(0);
  expect(run.stdout).toMatch(/^t0 \(1\) +llama-orch /m);
  expect(run.stdout).toMatch(/^t3 \(4\) +llama-orch /m);
});

test.each([
  [['--trace', 'generated', '--polcy', 'vtc'], 'Unknown option'],
  [['--trace', '/does/not/exist.csv'], 'no such file'],
  [['--trace', 'generated', '--rows', '900..'], 'leaves nothing'],
  [['--reproduce', '--traces', '/does/not/exist'], 'no such file'],
  [['--verdict', '--traces', '/does/not/exist'], '/does/not/exist has no mooncake'],
  [['--ledger', '/does/not/exist'], 'holds no ledger.db'],
])('%j ends with 2 and its reason', (args, reason) => {
  const run = sim(...args);
  expect(run.status).toBe(2);
  expect(run.stderr).toContain(reason);
  expect(run.stderr).not.toContain('    at ');
});
