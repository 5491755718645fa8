/** The command line of a program. */
import { parseArgs } from 'node:util';

import type { FaultDetail } from '@llama-orch/contracts';
import { invalidParams } from '@llama-orch/contracts';

import type { Program } from './program.ts';
import type { Setting } from './setting.ts';
import { settingFromText } from './setting.ts';

export interface Flags {
  readonly help: boolean;
  readonly configFile: string | undefined;
  readonly settings: readonly Setting[];
}

/**
 * @param argv the arguments after the script's name
 * @throws OrchError INVALID_PARAMS naming each flag at fault
 */
export function parseFlags(argv: readonly string[], { flags, leaves }: Program): Flags {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    options: {
      help: { type: 'boolean' },
      config: { type: 'string' },
      ...Object.fromEntries(Object.keys(flags).map((name) => [name, { type: 'string' as const }])),
    },
  });
  const faults: FaultDetail[] = [];
  const settings: Setting[] = [];
  const seen = new Set<string>();
  let configFile: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      faults.push({ path: token.value, message: 'is not a flag' });
      continue;
    }
    const { name, rawName: path, value } = token;
    const keys = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (name !== 'help' && name !== 'config' && !keys) {
      faults.push({ path, message: 'is not a known flag' });
    } else if (seen.has(name)) {
      faults.push({ path, message: 'may be given only once' });
    } else if (name === 'help') {
      if (value !== undefined) faults.push({ path, message: 'takes no value' });
    } else if (!value) {
      faults.push({ path, message: 'needs a value' });
    } else if (keys) {
      settings.push(...[settingFromText(leaves, keys, value, path)].filter((s) => s !== undefined));
    } else {
      configFile = value;
    }
    seen.add(name);
  }
  if (faults.length > 0) throw invalidParams('The command line', faults);
  return { help: seen.has('help'), configFile, settings };
}
