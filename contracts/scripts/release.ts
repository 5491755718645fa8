/**
 * The contracts against those of the last release (contracts/released):
 *
 *     npm run contracts:compare   prints what changed; status 1 when it breaks clients under the same major version
 *     npm run contracts:release   makes the contracts the released ones; status 1 when their version does not allow it
 */
import { copyFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { CONTRACT_FILES } from '../src/contract-files.ts';
import { compareContracts, type Change } from './compare-contracts.ts';
import { object, readContract, string, type Contract } from './contract-document.ts';

const RELEASED = new URL('../released/', import.meta.url);

export function readReleased(): Promise<readonly Contract[]> {
  return Promise.all(
    Object.values(CONTRACT_FILES).map((url) =>
      readContract(new URL(basename(fileURLToPath(url)), RELEASED)),
    ),
  );
}

export function readCurrent(): Promise<readonly Contract[]> {
  return Promise.all(Object.values(CONTRACT_FILES).map(readContract));
}

/**
 * Why a version must not follow another with these changes; undefined when it may: what breaks clients
 * needs a higher major version, and a release with anything new at least a higher minor one.
 */
export function refusedVersion(
  from: string,
  to: string,
  changes: readonly Change[],
  isRelease: boolean,
): string | undefined {
  const [[major = 0, minor = 0], [newMajor = 0, newMinor = 0]] = [from, to].map((version) =>
    version.split('.').map(Number),
  ) as [number[], number[]];
  if (newMajor > major) return undefined;
  const breaking = changes.filter(({ kind }) => kind === 'breaking').length;
  if (breaking > 0) return `${breaking} changes break clients of ${from}: raise the major version`;
  if (!isRelease || changes.length === 0 || newMinor > minor) return undefined;
  return `${changes.length} changes since ${from}: raise the minor version in info.version`;
}

function versionOf([contract]: readonly Contract[]): string {
  return string(object(contract?.document['info'])['version']);
}

async function main(command: string | undefined): Promise<number> {
  if (command !== 'compare' && command !== 'release') {
    console.error('node contracts/scripts/release.ts compare | release');
    return 2;
  }
  const [released, current] = [await readReleased(), await readCurrent()];
  const changes = compareContracts(released, current);
  for (const { kind, place, what } of changes) console.log(`${kind}: ${place} ${what}`);
  const [from, to] = [versionOf(released), versionOf(current)];
  const refusal = refusedVersion(from, to, changes, command === 'release');
  if (refusal !== undefined) {
    console.error(refusal);
    return 1;
  }
  console.log(`${changes.length} changes since ${from}`);
  if (command === 'release') {
    for (const url of Object.values(CONTRACT_FILES)) {
      const name = basename(fileURLToPath(url));
      await copyFile(url, join(fileURLToPath(RELEASED), name));
    }
  }
  return 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = await main(process.argv[2]);
}
