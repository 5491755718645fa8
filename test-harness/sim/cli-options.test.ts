import { expect, test } from 'vitest';
import { parseCommandLine, UsageError } from './cli-options.ts';
import { USAGE } from './cli-usage.ts';
import { POLICIES } from './policies/catalogue.ts';

const parse = (line: string) => parseCommandLine(line.split(' ').filter((word) => word !== ''));

test('flags become a scenario', () => {
  const options = parse(
    '--trace t.csv --speed 2 --replicas 8 --policy vtc,edf --noise 0.2 --slow-replica 2 ' +
      '--cache-tokens 3e6 --kv-tokens 35000 --slots 32 --rows 10..20 --seed 5 --model h100-8b ' +
      '--slo-ttft-ms 5000 --slo-tpot-ms 100 --signals-ms 0 --mixed-deadlines',
  );
  expect(options).toMatchObject({
    kind: 'play',
    speed: 2,
    rows: { from: 10, to: 20 },
    mixedDeadlines: true,
    policies: [{ name: 'vtc' }, { name: 'edf' }],
    slo: { ttftMs: 5000, tpotMs: 100 },
    scenario: {
      replicas: 8,
      cacheTokens: 3_000_000,
      kvTokens: 35_000,
      slots: 32,
      noise: 0.2,
      slowdowns: [2],
      seed: 5,
      signalPeriodMs: 0,
      constants: { name: 'h100-8b' },
    },
  });
});

test.each([
  ['', 'give --trace FILE'],
  ['--trace t --frobnicate', "Unknown option '--frobnicate'"],
  ['--trace t --policy nonsense', 'no policy is called nonsense'],
  ['--trace t --model z80', 'no model is called z80'],
  ['--trace t --speed fast', '--speed takes a number'],
  ['--trace t --speed 0', '--speed must be above 0'],
  ['--trace t --replicas 1.5', '--replicas must be a whole number'],
  ['--trace t --noise 1', '--noise must be below 1'],
  ['--trace t --cache-tokens=-1', '--cache-tokens must not be negative'],
  ['--trace t --rows 5', '--rows takes A..B'],
  ['--trace t --slow-replica 0.5', '--slow-replica must be at least 1'],
  ['--trace t --preemption gentle', '--preemption takes off, soft, hard, not gentle'],
  ['--trace t --tenants a:1,b', '--tenants takes NAME:WEIGHT[,…] with weights above 0, not b'],
  ['--trace t --tenants a:0', '--tenants takes NAME:WEIGHT'],
  ['--ledger d --replicas 0', '--replicas must be above 0'],
  ['--reproduce', '--reproduce needs --traces'],
  ['--verdict', '--verdict needs --traces'],
])('`%s` is refused', (line, reason) => {
  expect(() => parse(line)).toThrow(UsageError);
  expect(() => parse(line)).toThrow(reason);
});

test('tenants and preemption go to the production core, other policies have neither', () => {
  const options = parse('--trace t --policy vtc,llama-orch --tenants a:1,b:2.5 --preemption hard');
  expect(options).toMatchObject({
    tenants: [
      { tenantId: 'a', weight: 1 },
      { tenantId: 'b', weight: 2.5 },
    ],
    policies: [{ name: 'vtc' }, { name: 'llama-orch' }],
  });
});

test('a ledger leaves open what it tells itself', () => {
  expect(parse('--ledger dir --slots 3 --model h100-8b --pool p')).toMatchObject({
    kind: 'ledger',
    dataDir: 'dir',
    pool: 'p',
    replicas: undefined,
    slots: 3,
    model: { name: 'h100-8b' },
    cacheTokens: undefined,
  });
});

test('the verdict takes a folder, slices and a part', () => {
  expect(parse('--verdict --traces dir --slices --only fair')).toMatchObject({
    kind: 'verdict',
    traces: 'dir',
    slices: true,
    only: 'fair',
  });
});

test('half-open rows and help', () => {
  expect(parse('--trace t --rows ..9')).toMatchObject({ rows: { from: 0, to: 9 } });
  expect(parse('--trace t --rows 9..')).toMatchObject({ rows: { from: 9, to: undefined } });
  expect(parse('--help')).toEqual({ kind: 'help' });
});

test('the usage names every policy', () => {
  for (const { name } of POLICIES) expect(USAGE).toContain(`  ${name} `);
});
