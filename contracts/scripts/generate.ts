/**
 * `npm run contracts` makes everything in contracts/generated from contracts/openapi. With
 * `--check` it writes nothing and exits 1 when a file would change.
 */
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { configLeavesModule, configSchema } from './config-schema.ts';
import type { JsonObject } from './contract-document.ts';
import { readContract } from './contract-document.ts';
import { operationsModule } from './operations-module.ts';
import { typesModule } from './types-module.ts';
import {
  configValidators,
  hostAnswerValidators,
  queryValidators,
  requestValidators,
  responseValidators,
} from './validator-modules.ts';

const ROOT = new URL('../', import.meta.url);
const GENERATED = new URL('generated/', ROOT);

/** File name in contracts/generated → text. The same contracts always give the same bytes. */
export async function generate(): Promise<ReadonlyMap<string, string>> {
  const openapi = new URL('openapi/', ROOT);
  const [data, control, pool, config] = await Promise.all(
    ['data', 'control', 'pool', 'config'].map((name) =>
      readContract(new URL(`${name}.yaml`, openapi)),
    ),
  );
  if (!data || !control || !pool || !config) {
    throw new Error('unreachable: four contracts were read');
  }
  const contracts = [data, control, pool];
  return new Map([
    ['data.ts', await typesModule(data, 'as-sent')],
    ['control.ts', await typesModule(control, 'as-sent')],
    ['pool.ts', await typesModule(pool, 'as-sent')],
    ['config.ts', await typesModule(config, 'defaulted')],
    ['operations.ts', operationsModule(contracts)],
    ['config-leaves.ts', configLeavesModule(config)],
    ...requestValidators(contracts),
    ...queryValidators(contracts),
    ...responseValidators(contracts),
    ...hostAnswerValidators(contracts),
    ...configValidators(config),
    ['config.schema.json', schemaText(configSchema(config, 'Config'))],
    ['host-config.schema.json', schemaText(configSchema(config, 'HostConfig'))],
  ]);
}

function schemaText(schema: JsonObject): string {
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** One line for each file that differs from what is on disk. */
export async function differences(files: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const present = await readdir(GENERATED);
  const stray = present.filter((name) => !files.has(name)).map((name) => `${name}: not generated`);
  const changed = await Promise.all(
    [...files].map(async ([name, wanted]) => {
      if (!present.includes(name)) return `${name}: missing`;
      const found = (await readFile(new URL(name, GENERATED), 'utf8')).split('\n');
      const lines = wanted.split('\n');
      const at = lines.findIndex((line, i) => line !== found[i]);
      if (at < 0 && found.length === lines.length) return undefined;
      const line = at < 0 ? lines.length : at;
      return `${name}:${line + 1}: has "${found[line] ?? ''}", should be "${lines[line] ?? ''}"`;
    }),
  );
  return [...stray, ...changed.filter((line) => line !== undefined)];
}

async function main(args: readonly string[]): Promise<number> {
  const files = await generate();
  const found = await differences(files);
  if (args.includes('--check')) {
    if (found.length === 0) return 0;
    process.stderr.write(
      `contracts/generated does not fit contracts/openapi; run \`npm run contracts\`:\n` +
        found.map((line) => `  ${line.slice(0, 300)}\n`).join(''),
    );
    return 1;
  }
  for (const name of await readdir(GENERATED)) {
    if (!files.has(name)) await rm(new URL(name, GENERATED));
  }
  for (const [name, text] of files) await writeFile(new URL(name, GENERATED), text);
  process.stdout.write(
    `${files.size} files in ${fileURLToPath(GENERATED)}, ${found.length} changed\n`,
  );
  return 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = await main(process.argv.slice(2));
}
