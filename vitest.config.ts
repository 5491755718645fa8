import { defineConfig } from 'vitest/config';
import { vitestProjects } from './ci/suites.ts';

export default defineConfig({
  logLevel: 'error',
  test: {
    // Real processes and real disks: generous against a loaded machine, never a measure of speed.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // It imports JSON as only a bundler lets it; its source maps name files that are not published.
    server: { deps: { inline: [/@actions\/(workflow-parser|expressions)/] } },
    coverage: {
      provider: 'v8',
      include: ['*/**/*.ts'],
      exclude: ['**/*.test.ts', '**/generated/**', 'test-harness/**'],
    },
    projects: vitestProjects().map(({ name, include, exclude }) => ({
      extends: true,
      test: {
        name,
        include: [...include],
        exclude: ['**/node_modules/**', '**/generated/**', ...exclude],
      },
    })),
  },
});
