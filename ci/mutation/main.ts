/**
 * `npm run mutation -- core` or `-- routes`: changes the code in many small ways, one at a time, and says which changes
 * no test notices. Exits 1 when fewer than 80 of 100 are noticed. Stryker is no dependency of the project (README.md).
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** One change in so many is tried: a few hundred of the core, about a hundred of the routes. */
const ONE_IN: Readonly<Record<string, number>> = { core: 27, routes: 14 };

function strykerPath(): string | undefined {
  try {
    const main = import.meta.resolve('@stryker-mutator/core');
    return fileURLToPath(new URL('../../bin/stryker.js', main));
  } catch {
    return undefined;
  }
}

function main(room: string | undefined, args: readonly string[]): number {
  const oneIn = ONE_IN[room ?? ''];
  if (room === undefined || oneIn === undefined) {
    console.error(`name what to check: ${Object.keys(ONE_IN).join(' or ')}`);
    return 2;
  }
  const stryker = strykerPath();
  if (stryker === undefined) {
    console.error('Stryker is not installed: ci/mutation/README.md says how to');
    return 2;
  }
  const { status, error } = spawnSync(
    process.execPath,
    [stryker, 'run', `ci/mutation/${room}.json`, ...args],
    { stdio: 'inherit', env: { LLORCH_MUTATION_ONE_IN: String(oneIn), ...process.env } },
  );
  if (error !== undefined) throw error;
  return status ?? 1;
}

const [room, ...args] = process.argv.slice(2);
process.exitCode = main(room, args);
