/** Devices as a pool names them: `cpu`, or GPUs such as `cuda:0,1`. */

/** `cpu` hides every GPU, `cuda:0,1` shows two, a device of another kind is the engine's own business. */
export function visibleDevices(device: string): string | undefined {
  if (device === 'cpu') return '';
  return /^(?:cuda|gpu):(.+)$/i.exec(device)?.[1];
}

/** The GPUs of a mask, by index or UUID; none for `cpu` and for devices of another kind. */
export function gpusOf(device: string): readonly string[] {
  const visible = visibleDevices(device) ?? '';
  return visible.split(',').flatMap((gpu) => (gpu.trim() === '' ? [] : [gpu.trim()]));
}
