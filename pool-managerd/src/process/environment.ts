/** The variables of a program: every leaf of its configuration by its path, and short names for a few. */
import type { FaultDetail } from '@llama-orch/contracts';
import { invalidParams } from '@llama-orch/contracts';

import type { Program } from './program.ts';
import type { Setting } from './setting.ts';
import { settingFromText } from './setting.ts';

export interface Environment {
  readonly configFile: string | undefined;
  readonly settings: readonly Setting[];
}

/**
 * Empty variables count as unset. A variable with the prefix that names nothing is refused, except
 * what is foreign.
 * @throws OrchError INVALID_PARAMS naming each variable at fault
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  { variablePrefix, shortNames, isForeign, leaves }: Program,
): Environment {
  const faults: FaultDetail[] = [];
  const settings: Setting[] = [];
  for (const [variable, text] of Object.entries(env).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!variable.startsWith(variablePrefix) || !text || isForeign(variable, text)) continue;
    const name = variable.slice(variablePrefix.length);
    if (name === 'CONFIG') continue;
    const keys = shortNames.get(name) ?? keysOf(name);
    const setting = settingFromText(leaves, keys, text, variable);
    if (setting) settings.push(setting);
    else faults.push({ path: variable, message: 'names no value of the configuration' });
  }
  if (faults.length > 0) throw invalidParams('The environment', faults);
  // A full path wins over a short name for the same value: the more exact one was meant.
  settings.sort((a, b) => a.source.length - b.source.length);
  return { configFile: env[`${variablePrefix}CONFIG`] || undefined, settings };
}

/** `POOLS__0__MODEL__PATH` → pools, 0, model, path. */
function keysOf(name: string): readonly (string | number)[] {
  return name
    .toLowerCase()
    .split('__')
    .map((key) => (/^[0-9]{1,4}$/.test(key) ? Number(key) : key));
}
