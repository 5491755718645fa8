import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The suite against a real llama-server: `npm run test:real`. Its files are none of `npm test`'s. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test-harness/real/*.real.ts'],
    globalSetup: 'test-harness/real/build-first.ts',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Engines compute: two files at once would only slow each other down.
    fileParallelism: false,
    // CI counts single tests from the report.
    reporters: process.env['CI']
      ? ['default', ['json', { outputFile: '.cache/vitest-real.json' }]]
      : ['default'],
  },
});
