import { expect, test } from 'vitest';
import { childEnvironment } from './child-environment.ts';
import { gpusOf, visibleDevices } from './device-mask.ts';

test('OC-POOL-3020 an engine inherits nothing that could change what it runs', () => {
  const ours = { PATH: '/bin', LLAMA_ARG_CTX_SIZE: '1', NODE_OPTIONS: '--inspect', API_KEY: 'k' };
  expect(childEnvironment('cpu', {}, ours)).toEqual({
    PATH: '/bin',
    CUDA_VISIBLE_DEVICES: '',
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
  });
});

test("the operator's own variables are added and win", () => {
  const env = childEnvironment('cuda:0,1', { PATH: '/opt', GGML_CUDA: '1' }, { PATH: '/bin' });
  expect(env).toEqual({
    PATH: '/opt',
    GGML_CUDA: '1',
    CUDA_VISIBLE_DEVICES: '0,1',
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
  });
});

test('ORCH-3001 ORCH-3011 a process sees only the devices of its pool', () => {
  expect(['cpu', 'cuda:1', 'GPU:0,2', 'metal'].map(visibleDevices)).toEqual([
    '',
    '1',
    '0,2',
    undefined,
  ]);
});

test('the GPUs of a mask are told one by one, and there are none without one', () => {
  expect(['cpu', 'cuda:0, 2', 'metal'].map(gpusOf)).toEqual([[], ['0', '2'], []]);
});
