import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const inProcessDaemon = fileURLToPath(new URL('in-process-daemon.ts', import.meta.url));

export default defineConfig({
  logLevel: 'error',
  // The real one is only named for its types there.
  resolve: { alias: [{ find: /^.*\/daemon-process\.ts$/, replacement: inProcessDaemon }] },
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    include: [
      'orchestratord/src/http/*.test.ts',
      'orchestratord/src/routes/*.test.ts',
      'orchestratord/src/tasks/admission*.test.ts',
      ...[
        'auth',
        'bad-bodies',
        'bad-requests',
        'cancel',
        'control-plane',
        'explain',
        'observability',
        'resume',
        'sessions',
        'tasks',
        'verify',
        'whole-answers',
      ].map((name) => `test-harness/daemon/${name}.test.ts`),
    ],
    // What they say is of a process or of the embedded engine: an exit status, a kill, a digest of its model.
    testNamePattern:
      /^(?!.*(loopback|that nobody listed|after kill -9|whose engine died|second turn runs warm|of a prompt alone|by digest or by alias|a waiting task says|counters are equal))/,
  },
});
