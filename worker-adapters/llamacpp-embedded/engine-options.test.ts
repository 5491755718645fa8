import { expect, test } from 'vitest';
import { parseEngineArgs } from './engine-options.ts';

test('every option has a default but the model', () => {
  expect(parseEngineArgs(['--model', '/models/tiny.gguf'])).toEqual({
    modelPath: '/models/tiny.gguf',
    alias: 'tiny',
    host: '127.0.0.1',
    port: 0,
    slots: 1,
    ctxPerSlot: 1024,
    threads: 1,
    prefillChunk: 16,
    parentStdin: false,
  });
});

test.each([
  [[]],
  [['--model', 'a', '--slots', '0']],
  [['--model', 'a', '--port', '70000']],
  [['--model', 'a', '--threads', '1.5']],
  [['--model', 'a', '--ctx', 'many']],
  [['--model', 'a', '--colour', 'red']],
  [['--model', 'a', 'stray']],
])('%j is refused', (argv) => {
  expect(() => parseEngineArgs(argv)).toThrow();
});
