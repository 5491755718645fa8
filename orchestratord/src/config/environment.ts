/** `LLAMA_ORCH_*` variables: every leaf of the configuration by its path, and short names for a few. */
import type { FaultDetail } from '@llama-orch/contracts';
import { invalidParams } from '@llama-orch/contracts';

import type { Setting } from './setting.ts';
import { settingFromText } from './setting.ts';

const PREFIX = 'LLAMA_ORCH_';
const SHORT_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ['HOST', ['server', 'host']],
  ['PORT', ['server', 'port']],
  ['LOG_LEVEL', ['log', 'level']],
]);

export interface Environment {
  readonly configFile: string | undefined;
  readonly settings: readonly Setting[];
}

/**
 * Empty variables count as unset. A variable with the prefix that names nothing is refused, except
 * those that Kubernetes puts into every pod beside a service called `llama-orch`.
 * @throws OrchError INVALID_PARAMS naming each variable at fault
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  const faults: FaultDetail[] = [];
  const settings: Setting[] = [];
  for (const [variable, text] of Object.entries(env).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!variable.startsWith(PREFIX) || !text || isServiceLink(variable, text)) continue;
    const name = variable.slice(PREFIX.length);
    if (name === 'CONFIG') continue;
    const setting = settingFromText(SHORT_NAMES.get(name) ?? keysOf(name), text, variable);
    if (setting) settings.push(setting);
    else faults.push({ path: variable, message: 'names no value of the configuration' });
  }
  if (faults.length > 0) throw invalidParams('The environment', faults);
  // A full path wins over a short name for the same value: the more exact one was meant.
  settings.sort((a, b) => a.source.length - b.source.length);
  return { configFile: env[`${PREFIX}CONFIG`] || undefined, settings };
}

/** `POOLS__0__MODEL__PATH` → pools, 0, model, path. */
function keysOf(name: string): readonly (string | number)[] {
  return name
    .toLowerCase()
    .split('__')
    .map((key) => (/^[0-9]{1,4}$/.test(key) ? Number(key) : key));
}

/** https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables */
function isServiceLink(variable: string, text: string): boolean {
  return (
    /^LLAMA_ORCH_(SERVICE_(HOST|PORT)(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_\w+)?)$/.test(variable) ||
    (variable === 'LLAMA_ORCH_PORT' && /^(tcp|udp|sctp):\/\//.test(text))
  );
}
