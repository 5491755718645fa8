/**
 * The environment of a spawned engine: a short allow-list instead of ours. Engines read their flags
 * from variables too (`LLAMA_ARG_*`, `VLLM_*`), so what an operator's shell happens to hold must not
 * change what a pool runs.
 */

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
  if (visible !== undefined) env['CUDA_VISIBLE_DEVICES'] = visible;
  return { ...env, ...extra };
}

/** `cpu` hides every GPU, `cuda:0,1` shows two, a device of another kind is the engine's own business. */
export function visibleDevices(device: string): string | undefined {
  if (device === 'cpu') return '';
  return /^(?:cuda|gpu):(.+)$/i.exec(device)?.[1];
}
