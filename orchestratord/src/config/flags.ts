/** The daemon's command line. */
import { parseArgs } from 'node:util';

import type { FaultDetail } from '@llama-orch/contracts';
import { invalidParams } from '@llama-orch/contracts';

import type { Setting } from './setting.ts';
import { settingFromText } from './setting.ts';

export const HELP = `llama-orch: a durable, bounded, fair queue in front of your inference engines.

  --config FILE      configuration; default ./llama-orch.yaml when it exists
  --host HOST        address to bind; default 127.0.0.1
  --port PORT        TCP port, 0 picks a free one; default 8080
  --data-dir DIR     where the ledger and run files live; default .llama-orch
  --log-level LEVEL  trace, debug, info, warn, error, fatal or silent; default info
  --help             print this and exit

Flags win over LLAMA_ORCH_* in the environment, which win over the file. Every value of the file has
a variable: server.port is LLAMA_ORCH_SERVER__PORT, the first pool's replicas are
LLAMA_ORCH_POOLS__0__REPLICAS.
`;

const KEYS = {
  host: ['server', 'host'],
  port: ['server', 'port'],
  'data-dir': ['data_dir'],
  'log-level': ['log', 'level'],
} as const;

export interface Flags {
  readonly help: boolean;
  readonly configFile: string | undefined;
  readonly settings: readonly Setting[];
}

/**
 * @param argv the arguments after the script's name
 * @throws OrchError INVALID_PARAMS naming each flag at fault
 */
export function parseFlags(argv: readonly string[]): Flags {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    options: {
      help: { type: 'boolean' },
      config: { type: 'string' },
      ...Object.fromEntries(Object.keys(KEYS).map((name) => [name, { type: 'string' as const }])),
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
    const keys = Object.hasOwn(KEYS, name) ? KEYS[name as keyof typeof KEYS] : undefined;
    if (name !== 'help' && name !== 'config' && !keys) {
      faults.push({ path, message: 'is not a known flag' });
    } else if (seen.has(name)) {
      faults.push({ path, message: 'may be given only once' });
    } else if (name === 'help') {
      if (value !== undefined) faults.push({ path, message: 'takes no value' });
    } else if (!value) {
      faults.push({ path, message: 'needs a value' });
    } else if (keys) {
      settings.push(...[settingFromText(keys, value, path)].filter((s) => s !== undefined));
    } else {
      configFile = value;
    }
    seen.add(name);
  }
  if (faults.length > 0) throw invalidParams('The command line', faults);
  return { help: seen.has('help'), configFile, settings };
}
