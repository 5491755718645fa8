/**
 * The linter and the page of the contracts, without any network:
 *
 *     npm run contracts:lint            every rule of redocly.yaml
 *     npm run contracts:docs -- [DIR]   a page for each contract, by default in .cache/contract-docs
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const CONFIG = fileURLToPath(new URL('../redocly.yaml', import.meta.url));
const DOCS = fileURLToPath(new URL('../../.cache/contract-docs/', import.meta.url));
const PAGES = ['data', 'control', 'pool'] as const;
const TIMEOUT_MS = 120_000;

export interface Ran {
  readonly status: number;
  readonly output: string;
}

/** @param files in place of the contracts that redocly.yaml names */
export function lint(files: readonly string[] = []): Ran {
  return redocly(['lint', ...files, '--config', CONFIG]);
}

/**
 * Writes `NAME.html` for each contract; scripts and styles are inside, so that it is read offline.
 * @returns the files
 * @throws Error with what the renderer said
 */
export function buildDocs(directory: string): readonly string[] {
  mkdirSync(directory, { recursive: true });
  return PAGES.map((name) => {
    const page = join(directory, `${name}.html`);
    const ran = redocly(['build-docs', name, '--config', CONFIG, '--inlineBundle', '-o', page]);
    if (ran.status !== 0) throw new Error(ran.output);
    return page;
  });
}

function redocly(args: readonly string[]): Ran {
  const packageFile = createRequire(import.meta.url).resolve('@redocly/cli/package.json');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(dirname(packageFile), 'bin', 'cli.js'), ...args],
    {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
    },
  );
  return { status: status ?? 1, output: `${stdout}${stderr}` };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [command, ...args] = process.argv.slice(2);
  if (command === 'lint') {
    const { status, output } = lint(args);
    process.stdout.write(output);
    process.exitCode = status;
  } else if (command === 'docs') {
    for (const page of buildDocs(args[0] ?? DOCS)) console.log(page);
  } else {
    console.error('node contracts/scripts/redocly.ts lint [FILE…] | docs [DIRECTORY]');
    process.exitCode = 2;
  }
}
