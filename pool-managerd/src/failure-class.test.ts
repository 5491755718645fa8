import { expect, test } from 'vitest';
import { classifyExit, isDriverError } from './failure-class.ts';
import type { DeathScene } from './failure-class.ts';

function died(fields: Partial<DeathScene> & { code?: number; signal?: NodeJS.Signals } = {}) {
  const { code = null, signal = null, ...rest } = fields;
  return classifyExit({
    exit: { code: signal === null ? (code ?? 1) : null, signal, spawnError: undefined },
    lines: [],
    onGpu: true,
    systemWasOutOfMemory: false,
    ...rest,
  });
}

test.each([
  [
    'ggml_backend_cuda_buffer_type_alloc_buffer: allocating 1024 MiB on device 0: cudaMalloc failed: out of memory',
  ],
  ['CUDA error: out of memory'],
  ['torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB'],
  ['ValueError: No available memory for the cache blocks.'],
  ['llama_kv_cache: failed to allocate buffer for kv cache'],
])('ORCH-3039 GPU memory that is too small is told by what the engine says: %s', (line) => {
  // llama.cpp ends with the general message after the one that tells.
  expect(died({ lines: [line, 'srv llama_server: exiting due to model loading error'] })).toBe(
    'vram-oom',
  );
});

test('ORCH-3039 a buffer of the CPU, or on a pool without GPU, is host memory', () => {
  const line = 'ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 99';
  expect(died({ lines: [line] })).toBe('host-oom');
  expect(died({ lines: ['failed to allocate compute buffers'], onGpu: false })).toBe('host-oom');
});

test('ORCH-3039 a kill is for want of memory only when the system says that it made one', () => {
  expect(died({ signal: 'SIGKILL' })).toBeUndefined();
  expect(died({ signal: 'SIGKILL', systemWasOutOfMemory: true })).toBe('host-oom');
  expect(died({ code: 137, systemWasOutOfMemory: true })).toBe('host-oom');
  expect(died({ signal: 'SIGTERM', systemWasOutOfMemory: true })).toBeUndefined();
});

test('ORCH-3038 what the driver did is told from what the engine did', () => {
  const abort = { signal: 'SIGABRT' } as const;
  expect(died({ ...abort, lines: ['CUDA error: an illegal memory access was encountered'] })).toBe(
    'driver',
  );
  expect(died({ ...abort, lines: ['CUDA error: device-side assert triggered'] })).toBe('driver');
  expect(died({ ...abort, lines: ['GGML_ASSERT(n > 0) failed'] })).toBeUndefined();
});

test('a port in use and a model that cannot be read have classes of their own', () => {
  expect(died({ lines: ["couldn't bind HTTP server socket, hostname: 127.0.0.1"] })).toBe('port');
  expect(died({ lines: ['Error: listen EADDRINUSE: address already in use'] })).toBe('port');
  expect(died({ lines: ['llama_model_load: error loading model: invalid magic'] })).toBe('model');
});

test('a running engine that says it is out of memory has no broken device', () => {
  expect(isDriverError('CUDA error: unspecified launch failure')).toBe(true);
  expect(isDriverError('CUDA error: out of memory')).toBe(false);
  expect(isDriverError('slot 0 released')).toBe(false);
});
