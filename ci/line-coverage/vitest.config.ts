/** The suites as `npm test` runs them, measured into the folder that `measure-suite.ts` names. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import everyday from '../../vitest.config.ts';
import { COVERAGE_FOLDER } from './measured-folder.ts';
import { EXCLUDED, INCLUDED } from './rooms.ts';

export default defineConfig({
  ...everyday,
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    ...everyday.test,
    setupFiles: [fileURLToPath(new URL('measure-children.ts', import.meta.url))],
    coverage: {
      enabled: true,
      provider: 'v8',
      include: [...INCLUDED],
      exclude: [...EXCLUDED],
      reporter: ['json'],
      reportOnFailure: true,
      reportsDirectory: `${process.env[COVERAGE_FOLDER]}/vitest`,
    },
  },
});
