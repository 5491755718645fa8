import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  logLevel: 'error',
  resolve: {
    alias: { 'fast-check': fileURLToPath(new URL('few-runs.ts', import.meta.url)) },
  },
  test: {
    testTimeout: 120_000,
    include: ['orchestrator-core/**/*.test.ts'],
    // It shows a queue of 100,000 tasks, which changed code is too slow for.
    exclude: ['**/scale.test.ts'],
    // The core is pure: its tests have nothing to hide from each other.
    isolate: false,
  },
});
