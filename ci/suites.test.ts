import { expect, test } from 'vitest';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { vitestProjects } from './suites.ts';

const cwd = fileURLToPath(new URL('..', import.meta.url));

test('OC-TEST-7901 each test file belongs to exactly one suite, and each suite has some', () => {
  const ignored = (path: string): boolean => path.includes('node_modules');
  const all = globSync('**/*.test.ts', { cwd, exclude: ignored });
  const owned = vitestProjects().map(({ include, exclude }) =>
    globSync([...include], { cwd, exclude: ignored }).filter(
      (file) => !globSync([...exclude], { cwd, exclude: ignored }).includes(file),
    ),
  );
  for (const files of owned) expect(files.length).toBeGreaterThan(0);
  expect(owned.flat().sort()).toEqual(all.sort());
});
