import { expect, test } from 'vitest';
import { embeddedCommand, fillCommand } from './command-line.ts';
import { poolSettings } from './pool-config.ts';

const POOL = {
  id: 'p',
  engine: 'llamacpp',
  modelId: 'tiny',
  modelPath: '/models/with space.gguf',
  slots: 2,
  ctx: 512,
} as const;

test('a command is filled argument by argument, so that a space in a path stays in its argument', () => {
  const command = [
    'llama-server',
    '-m',
    '{model}',
    '-c',
    '{ctx_total}',
    '--port={port}',
    '-np',
    '{slots}',
  ];
  expect(fillCommand(poolSettings({ ...POOL, launch: 'process', command }), 8123)).toEqual([
    'llama-server',
    '-m',
    '/models/with space.gguf',
    '-c',
    '1024',
    '--port=8123',
    '-np',
    '2',
  ]);
});

test('the embedded engine picks its own port and holds on to our stdin', () => {
  const command = embeddedCommand(poolSettings({ ...POOL, launch: 'embedded' }), 'node', 'main.ts');
  expect(command.join(' ')).toBe(
    'node main.ts --model /models/with space.gguf --port 0 --host 127.0.0.1 --slots 2 --ctx 512 --threads 1 --alias tiny --parent-stdin',
  );
});

test('ORCH-3012 the mask and the ratios of a split are filled in as the pool names them', () => {
  const command = ['engine', '{port}', '--gpus={devices}', '-ts', '{tensor_split}'];
  const settings = poolSettings({
    ...POOL,
    launch: 'process',
    command,
    device: 'cuda:0,2',
    tensorSplit: [3, 1],
  });
  expect(fillCommand(settings, 1).slice(2)).toEqual(['--gpus=0,2', '-ts', '3,1']);
  expect(() => poolSettings({ ...POOL, launch: 'process', command })).toThrow(
    'nothing to fill {tensor_split} with',
  );
});
