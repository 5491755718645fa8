import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SILENT } from '../testing/fake-pool.ts';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { OwnedChildren } from './owned-children.ts';

test('OC-POOL-3022 an engine is started and ended where its pid cannot be written down, and that is told once', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'children-'));
  const warnings: string[] = [];
  const warn = (_fields: object, message: string) => void warnings.push(message);
  const children = new OwnedChildren(dataDir, new VirtualClock(), { ...SILENT, warn });
  children.sweep();
  // What a full disk does too: nothing can be written there any more.
  await rm(dataDir, { recursive: true });
  const engine = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  try {
    for (let time = 0; time < 2; time++) {
      children.add(engine.pid!);
      children.remove(engine.pid!);
    }
  } finally {
    engine.kill('SIGKILL');
  }
  expect(warnings).toEqual(['the pids of engines cannot be written down']);
});
