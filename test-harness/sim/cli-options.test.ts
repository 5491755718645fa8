import { expect, test } from 'vitest';
import { parseCommandLine, USAGE, UsageError } from './cli-options.ts';
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
  ['--reproduce', '--reproduce needs --traces'],
])('`%s` is refused', (line, reason) => {
  expect(() => parse(line)).toThrow(UsageError);
  expect(() => parse(line)).toThrow(reason);
});

test('half-open rows and help', () => {
  expect(parse('--trace t --rows ..9')).toMatchObject({ rows: { from: 0, to: 9 } });
  expect(parse('--trace t --rows 9..')).toMatchObject({ rows: { from: 9, to: undefined } });
  expect(parse('--help')).toEqual({ kind: 'help' });
});

test('the usage names every policy', () => {
  for (const { name } of POLICIES) expect(USAGE).toContain(`  ${name} `);
});
