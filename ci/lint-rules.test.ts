/** The linter holds the arrows between the rooms: each forbidden thing, tried once. */
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const eslint = new ESLint({ cwd: root });

/** Rules that a text breaks when it stands in the given file. */
async function brokenRules(file: string, text: string): Promise<readonly (string | null)[]> {
  const [result] = await eslint.lintText(text, { filePath: `${root}${file}` });
  return (result?.messages ?? []).map((message) => message.ruleId);
}

const CORE = 'orchestrator-core/src/core.ts';

test.each([
  ['reads the clock', 'export const now = Date.now();', 'no-restricted-properties'],
  ['makes a date of now', 'export const now = new Date();', 'no-restricted-syntax'],
  ['draws a random number', 'export const x = Math.random();', 'no-restricted-properties'],
  ['starts a timer', 'setTimeout(() => undefined, 1);', 'no-restricted-globals'],
  ['measures time', 'export const t = performance.now();', 'no-restricted-globals'],
  [
    'does I/O',
    "import { readFileSync } from 'node:fs';\nreadFileSync('x');",
    'no-restricted-syntax',
  ],
  [
    'takes more than types from contracts',
    "import { OrchError } from '@llama-orch/contracts';\nexport const e = OrchError;",
    'no-restricted-syntax',
  ],
])('the core is refused when it %s', async (_what, text, rule) => {
  expect(await brokenRules(CORE, text)).toContain(rule);
});

test('the core may take types from contracts', async () => {
  const text =
    "import type { ErrorKind } from '@llama-orch/contracts';\nexport type K = ErrorKind;\n";
  expect(await brokenRules(CORE, text)).toEqual([]);
});

test.each([
  ['contracts/src/index.ts', '@llama-orch/orchestrator-core'],
  [CORE, '@llama-orch/orchestratord'],
  [CORE, '@llama-orch/worker-adapters'],
  ['worker-adapters/index.ts', '@llama-orch/pool-managerd'],
  ['worker-adapters/index.ts', '@llama-orch/test-harness'],
  ['pool-managerd/src/index.ts', '@llama-orch/orchestrator-core'],
  ['orchestratord/src/main.ts', '@llama-orch/test-harness'],
  ['orchestratord/src/main.ts', '../../orchestrator-core/src/core.ts'],
  ['pool-managerd/src/index.ts', '../../orchestratord/src/main.ts'],
])('%s may not import %s', async (file, source) => {
  expect(await brokenRules(file, `export type * from '${source}';`)).toContain(
    'no-restricted-imports',
  );
});
