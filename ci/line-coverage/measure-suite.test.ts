import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { ScriptCoverages, childLines } from './child-coverage.ts';
import { faultsOf } from './line-report.ts';
import { coveredLines, runMeasured } from './measure-suite.ts';
import { childrenFolder, vitestReport } from './measured-folder.ts';
import { roomLines } from './room-lines.ts';
import { sourcesOf } from './rooms.ts';

/** Types before and amid code: what is told must be lines of this text. */
const LETTERS = `
interface Letter {
  readonly code: number;
}

export function describe(letter: Letter): string {
  if (letter.code > 100) {
    return 'late';
  }
  return 'early';
}
`;
const [TEST_LINE, LATE_LINE, EARLY_LINE] = [7, 8, 10];

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

/** A repository of one room, and a program that asks with each of `codes`. */
function repository(...codes: readonly number[]): { root: string; program: string } {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'coverage-')));
  roots.push(root);
  mkdirSync(join(root, 'room/src'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(root, 'room/src/letters.ts'), LETTERS);
  writeFileSync(join(root, 'room/src/letters.test.ts'), 'throw new Error("is no source");');
  writeFileSync(join(root, 'room/src/unused.ts'), 'export const unused = [\n  1,\n];\n');
  const letters = JSON.stringify(pathToFileURL(join(root, 'room/src/letters.ts')).href);
  const ask = codes.map((code) => `describe({ code: ${code} });`).join('\n');
  const program = join(root, 'program.mjs');
  writeFileSync(program, `import { describe } from ${letters};\n${ask}\n`);
  return { root, program };
}

const ROOM = { name: 'room', folder: 'room/src', minPercent: 85 };

async function coveredBy(root: string, program: string): Promise<readonly number[]> {
  const folder = join(root, 'measured');
  const suite = { name: 'made up', command: [process.execPath, program] as const, files: [] };
  expect(runMeasured(suite, folder)).toBe(true);
  const covered = await coveredLines(folder, root, sourcesOf(ROOM, root));
  expect(covered['room/src/unused.ts'] ?? []).toEqual([]);
  return covered['room/src/letters.ts'] ?? [];
}

test('OC-TEST-7908 lines count that a process ran which a suite started, at their place in the source', async () => {
  const { root, program } = repository(1);
  const covered = await coveredBy(root, program);
  expect(covered).toContain(TEST_LINE);
  expect(covered).toContain(EARLY_LINE);
  expect(covered).not.toContain(LATE_LINE);
});

test('OC-TEST-7908 the check fails when tests stop running what they ran, and when a source comes without any', async () => {
  const { root, program } = repository(1, 200);
  const lines = async () => {
    const covered = { 'room/src/letters.ts': await coveredBy(root, program) };
    return faultsOf(await roomLines([ROOM], root, [covered]), []);
  };
  rmSync(join(root, 'room/src/unused.ts'));
  expect(await lines()).toEqual([]);
  writeFileSync(program, '');
  expect(await lines()).toEqual(['below its bound of 85 %: room']);
  const whole = repository(1, 200);
  const covered = { 'room/src/letters.ts': await coveredBy(whole.root, whole.program) };
  const statements = 'unused += 1;\n'.repeat(3);
  writeFileSync(join(whole.root, 'room/src/unused.ts'), `let unused = 0;\n${statements}`);
  expect(faultsOf(await roomLines([ROOM], whole.root, [covered]), [])).toHaveLength(1);
});

test('what one process did not run another may have, and its threads', async () => {
  const { root, program } = repository(1);
  const late = repository(200);
  const first = pathToFileURL(program).href;
  const letters = pathToFileURL(join(root, 'room/src/letters.ts')).href;
  const thread = `import(${JSON.stringify(letters)}).then(({ describe }) => describe({ code: 200 }))`;
  writeFileSync(
    late.program,
    `import { Worker } from 'node:worker_threads';
     import ${JSON.stringify(first)};
     new Worker(${JSON.stringify(thread)}, { eval: true });`,
  );
  const covered = await coveredBy(root, late.program);
  expect(covered).toContain(EARLY_LINE);
  expect(covered).toContain(LATE_LINE);
});

test('many processes are merged into what any of them ran', async () => {
  const { root } = repository();
  const path = join(root, 'room/src/letters.ts');
  const script = (lateCount: number) => ({
    scriptId: '1',
    url: pathToFileURL(path).href,
    functions: [
      {
        functionName: '',
        isBlockCoverage: true,
        ranges: [{ startOffset: 0, endOffset: LETTERS.length, count: 1 }],
      },
      {
        functionName: 'describe',
        isBlockCoverage: true,
        ranges: [
          {
            startOffset: LETTERS.indexOf('function'),
            endOffset: LETTERS.lastIndexOf('}') + 1,
            count: 1,
          },
          {
            startOffset: LETTERS.indexOf('{\n    return'),
            endOffset: LETTERS.indexOf('}\n  return') + 1,
            count: lateCount,
          },
        ],
      },
    ],
  });
  const scripts = new ScriptCoverages();
  for (let index = 0; index < 40; index += 1) scripts.add(script(0));
  expect((await childLines(path, scripts)).get(LATE_LINE)).toBe(false);
  scripts.add(script(1));
  expect((await childLines(path, scripts)).get(LATE_LINE)).toBe(true);
});

test('lines that vitest measured in its own workers count with those of their children', async () => {
  const { root, program } = repository(1);
  const folder = join(root, 'measured');
  runMeasured({ name: 'made up', command: [process.execPath, program], files: [] }, folder);
  mkdirSync(join(folder, 'vitest'));
  const late = { start: { line: LATE_LINE, column: 4 }, end: { line: LATE_LINE, column: 18 } };
  writeFileSync(
    vitestReport(folder),
    JSON.stringify({
      [join(root, 'room/src/letters.ts')]: { statementMap: { 0: late }, s: { 0: 3 } },
    }),
  );
  const covered = await coveredLines(folder, root, ['room/src/letters.ts']);
  expect(covered['room/src/letters.ts']).toEqual(expect.arrayContaining([LATE_LINE, EARLY_LINE]));
});

test('of a process that was killed while it wrote nothing counts, and of the others all', async () => {
  const { root, program } = repository(1);
  const folder = join(root, 'measured');
  runMeasured({ name: 'made up', command: [process.execPath, program], files: [] }, folder);
  writeFileSync(join(childrenFolder(folder), 'coverage-cut-off.json'), '{"result":[{"scriptId"');
  const covered = await coveredLines(folder, root, ['room/src/letters.ts']);
  expect(covered['room/src/letters.ts']).toContain(EARLY_LINE);
});

test('a suite that fails says so, and one before it leaves nothing behind', () => {
  const { root } = repository();
  const folder = join(root, 'measured');
  mkdirSync(childrenFolder(folder), { recursive: true });
  writeFileSync(join(childrenFolder(folder), 'coverage-of-before.json'), '{}');
  const failing = [process.execPath, '-e', 'process.exit(3)'] as const;
  expect(runMeasured({ name: 'made up', command: failing, files: [] }, folder)).toBe(false);
  expect(existsSync(join(childrenFolder(folder), 'coverage-of-before.json'))).toBe(false);
});

test('every source counts, run or not, and no test does', async () => {
  const { root } = repository();
  expect(sourcesOf(ROOM, root)).toEqual(['room/src/letters.ts', 'room/src/unused.ts']);
  const unused = await childLines(join(root, 'room/src/unused.ts'), new ScriptCoverages());
  expect([...unused]).toEqual([[1, false]]);
});
