import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProgramRun } from './program-run.ts';
import { waitFor } from './wait-for.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'program-run-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

/** Runs until it is told to end, and says when it can be told. */
async function start(onSigterm: string): Promise<ProgramRun> {
  const program = join(directory, 'program.mjs');
  writeFileSync(
    program,
    `process.on('SIGTERM', () => { ${onSigterm} }); setInterval(() => {}, 1000); console.log('up');`,
  );
  const run = new ProgramRun(program, [], {});
  await waitFor('the program', () => run.stdout.includes('up'));
  return run;
}

test('where lines are counted a program ends by itself, and leaves what it ran', async () => {
  vi.stubEnv('NODE_V8_COVERAGE', join(directory, 'measured'));
  const run = await start('process.exit(3)');
  await run.kill();
  expect(await run.exited).toMatchObject({ code: 3, signal: null });
  expect(readdirSync(join(directory, 'measured'))).toHaveLength(1);
  await run.kill();
});

test('a program that does not end when asked is killed', async () => {
  vi.stubEnv('NODE_V8_COVERAGE', join(directory, 'measured'));
  const run = await start('');
  await run.kill(100);
  expect(await run.exited).toMatchObject({ signal: 'SIGKILL' });
});

test('where they are not it is killed at once', async () => {
  vi.stubEnv('NODE_V8_COVERAGE', undefined);
  const run = await start('process.exit(3)');
  await run.kill();
  expect(await run.exited).toMatchObject({ signal: 'SIGKILL' });
});
