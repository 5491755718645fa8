/** The suite on a real llama-server is no part of `npm test`, and CI does not pass it over in silence. */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);

test('OC-TEST-7011 npm test finds none of its files', () => {
  const files = readdirSync(new URL('test-harness/real/', root));
  expect(files.filter((file) => file.endsWith('.real.ts'))).not.toEqual([]);
  expect(files.filter((file) => file.endsWith('.test.ts'))).toEqual([]);
});

test('OC-TEST-7011 CI runs it, or names why not', () => {
  const ci = readFileSync(new URL('.ci/run', root), 'utf8');
  expect(ci).toMatch(/npm run .*test:real/);
  expect(ci).toContain("'LLAMA_ORCH_CI_REAL=0'");
  expect(ci).toContain('SKIPPED');
});
