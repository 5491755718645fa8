/**
 * `npm run key` makes an API key. It prints the key, which nothing else ever holds, and the lines that
 * make the daemon know it; it writes no file.
 */
import { randomBytes } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { validateConfig } from '@llama-orch/contracts';
import { DEFAULT_TENANT } from './auth/identity.ts';
import { hashKey, makeKey } from './auth/key-ring.ts';

export const HELP = `Makes an API key and prints it once, with the lines for llama-orch.yaml. Writes no file.

  npm run key -- --tenant acme --scopes tasks:write,tasks:read

  --tenant ID      whose tasks the key sees; a tenant of the configuration, or default
  --scopes LIST    tasks:write, tasks:read, control:read, control:write, pool:write, admin; with
                   commas between
  --id ID          names the key in logs; default: the tenant and four random characters
  --help           print this and exit
`;

export interface Printed {
  readonly status: 0 | 2;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param args the arguments after the script's name */
export function runMakeKey(args: readonly string[]): Printed {
  const flags = parseFlags(args);
  if (typeof flags === 'string') return refused(flags);
  if (flags.help === true) return { status: 0, stdout: HELP, stderr: '' };
  const { tenant, scopes } = flags;
  if (tenant === undefined) return refused('--tenant is required');
  if (scopes === undefined) return refused('--scopes is required');
  const key = makeKey();
  const known = {
    id: flags.id ?? `${tenant.slice(0, 59)}-${randomBytes(2).toString('hex')}`,
    tenant,
    sha256: hashKey(key).toString('hex'),
    scopes: [...new Set(scopes.split(',').map((scope) => scope.trim()))],
  };
  const checked = validateConfig({ auth: { keys: [known] } });
  if (!checked.ok)
    return refused(...checked.details.map(({ path, message }) => toFlag(path, message)));
  return { status: 0, stdout: explain(key, known), stderr: '' };
}

interface Flags {
  readonly help?: boolean;
  readonly tenant?: string;
  readonly scopes?: string;
  readonly id?: string;
}

/** What is wrong with the command line, as text, when something is. */
function parseFlags(args: readonly string[]): Flags | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h' },
        tenant: { type: 'string' },
        scopes: { type: 'string' },
        id: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** `/auth/keys/0/scopes/1 …` → `--scopes …`: the configuration's own rules, told of the flag. */
function toFlag(path: string, message: string): string {
  return `--${path.split('/')[4] ?? ''} ${message}`;
}

function refused(...faults: readonly string[]): Printed {
  const lines = faults.map((fault) => `${fault}\n`).join('');
  return { status: 2, stdout: '', stderr: `${lines}See npm run key -- --help\n` };
}

interface Known {
  readonly id: string;
  readonly tenant: string;
  readonly sha256: string;
  readonly scopes: readonly string[];
}

function explain(key: string, { id, tenant, sha256, scopes }: Known): string {
  const isDefault = tenant === DEFAULT_TENANT;
  return [
    key,
    '',
    'Give it to its user now: nobody can show it again. Clients send it as',
    '',
    `  Authorization: Bearer ${key}`,
    '',
    'The daemon knows it by these lines of llama-orch.yaml, from its next start on:',
    '',
    'auth:',
    '  keys:',
    `    - id: '${id}'`,
    `      tenant: '${tenant}'${isDefault ? '' : ' # must be listed under tenants'}`,
    `      sha256: '${sha256}'`,
    `      scopes: [${scopes.join(', ')}]`,
    '',
  ].join('\n');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { status, stdout, stderr } = runMakeKey(process.argv.slice(2));
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = status;
}
