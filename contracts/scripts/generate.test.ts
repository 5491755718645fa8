import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { differences, generate } from './generate.ts';

const script = fileURLToPath(new URL('generate.ts', import.meta.url));

test('OC-CONFIG-6010 generating twice gives the same bytes', async () => {
  expect(await generate()).toEqual(await generate());
});

test('OC-CONFIG-6010 what is committed is what the contracts give', () => {
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('a changed, a missing and a stray file are each told', async () => {
  const files = new Map(await generate());
  const operations = files.get('operations.ts')!;
  files.set('operations.ts', operations.replace('/v1/tasks', '/v2/tasks'));
  files.set('new.ts', '');
  files.delete('data.ts');
  const found = await differences(files);
  expect(found).toHaveLength(3);
  expect(found.join('\n')).toMatch(/operations\.ts:3: has .*\/v1\/tasks.* should be .*\/v2\/tasks/);
  expect(found).toEqual(expect.arrayContaining(['new.ts: missing', 'data.ts: not generated']));
});

test('compiled validators need no module at all', async () => {
  for (const [name, text] of await generate()) {
    if (name.endsWith('.js')) expect(text, name).not.toMatch(/^import |require\(/m);
  }
});
