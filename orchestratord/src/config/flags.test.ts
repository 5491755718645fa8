import { parseFlags as parse } from '@llama-orch/pool-managerd/process';
import { expect, test } from 'vitest';

import { HELP, ORCHESTRATORD } from './flags.ts';

const parseFlags = (argv: readonly string[]) => parse(argv, ORCHESTRATORD);

test('help is asked for by flag and names every flag', () => {
  expect(parseFlags([]).help).toBe(false);
  expect(parseFlags(['--help']).help).toBe(true);
  for (const flag of ['--config', '--host', '--port', '--data-dir', '--log-level']) {
    expect(HELP).toContain(flag);
    expect(() => parseFlags([flag, '1'])).not.toThrow();
  }
});

test('a value may stand behind an equals sign', () => {
  expect(parseFlags(['--config=a=b.yaml']).configFile).toBe('a=b.yaml');
});
