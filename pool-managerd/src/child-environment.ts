/**
 * The environment of a spawned engine: a short allow-list instead of ours. Engines read their flags
 * from variables too (`LLAMA_ARG_*`, `VLLM_*`), so what an operator's shell happens to hold must not
 * change what a pool runs.
 */

import { visibleDevices } from './device-mask.ts';

const PASSED_ON = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'LD_LIBRARY_PATH',
  'DYLD_LIBRARY_PATH',
  'SystemRoot',
] as const;

/**
 * @param extra the operator's own additions; they win
 */
export function childEnvironment(
  device: string,
  extra: Readonly<Record<string, string>>,
  from: NodeJS.ProcessEnv,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = from[name];
    if (value !== undefined) env[name] = value;
  }
  const visible = visibleDevices(device);
  if (visible !== undefined) {
    env['CUDA_VISIBLE_DEVICES'] = visible;
    // By default CUDA numbers the fastest first: another GPU than the driver's tools mean by the number.
    env['CUDA_DEVICE_ORDER'] = 'PCI_BUS_ID';
  }
  return { ...env, ...extra };
}
