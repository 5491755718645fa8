/** The command lines of spawned engines. */

import { visibleDevices } from './device-mask.ts';

/** What a command line is made from; part of `PoolSettings`. */
export interface CommandSettings {
  readonly command: readonly string[];
  readonly host: string;
  readonly modelPath: string | undefined;
  readonly modelId: string;
  readonly slots: number;
  readonly ctx: number;
  readonly threads: number;
  readonly device: string;
  readonly tensorSplit: readonly number[] | undefined;
}

/** What an operator's command may leave to be filled in. */
export const COMMAND_PLACEHOLDERS = [
  'port',
  'model',
  'ctx',
  'slots',
  'ctx_total',
  'host',
  'alias',
  'threads',
  'devices',
  'tensor_split',
] as const;

/**
 * Fills the placeholders of an operator's command, such as `{port}`. `{ctx}` is per slot;
 * llama-server's `-c` wants `{ctx_total}`.
 * @throws RangeError for a placeholder that does not exist
 */
export function fillCommand(pool: CommandSettings, port: number): readonly string[] {
  const fields: Record<(typeof COMMAND_PLACEHOLDERS)[number], string | number | undefined> = {
    port,
    host: pool.host,
    model: pool.modelPath,
    alias: pool.modelId,
    slots: pool.slots,
    ctx: pool.ctx,
    ctx_total: pool.ctx * pool.slots,
    threads: pool.threads,
    devices: visibleDevices(pool.device),
    tensor_split: pool.tensorSplit?.join(','),
  };
  const values = new Map(Object.entries(fields));
  return pool.command.map((argument) =>
    argument.replaceAll(/\{([a-z_]+)\}/g, (placeholder, name: string) => {
      const value = values.get(name);
      if (value === undefined) throw new RangeError(`command: nothing to fill ${placeholder} with`);
      return String(value);
    }),
  );
}

/** The engine that ships with us; it picks its own port and says so on stdout. */
export function embeddedCommand(
  pool: CommandSettings,
  nodePath: string,
  entry: string,
): readonly string[] {
  const flags = {
    model: pool.modelPath ?? '',
    port: 0,
    host: pool.host,
    slots: pool.slots,
    ctx: pool.ctx,
    threads: pool.threads,
    alias: pool.modelId,
  };
  const options = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return [nodePath, entry, ...options, '--parent-stdin'];
}
