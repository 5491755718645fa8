import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/generated/**'],
    // Real processes and real disks: generous against a loaded machine, never a measure of speed.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // CI counts single tests from the report.
    reporters: process.env['CI']
      ? ['default', ['json', { outputFile: '.cache/vitest.json' }]]
      : ['default'],
    coverage: {
      provider: 'v8',
      include: ['*/**/*.ts'],
      exclude: ['**/*.test.ts', '**/generated/**', 'test-harness/**'],
    },
  },
});
