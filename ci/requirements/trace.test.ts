import { expect, test } from 'vitest';
import { reportsOf } from './reports.ts';
import { drift } from './repository-files.ts';
import { traceRequirements } from './trace.ts';

/** Ids that no scan of this file finds: they belong to no spec of ours. */
const id = (number: number) => `ORCH-${number}`;
const A = id(9001);
const B = id(9002);
const UNKNOWN = id(9999);

const WELL: Readonly<Record<string, string>> = {
  '.specs/00.md': [
    '# Spec',
    '',
    `- **${A}** A task MUST be taken, see`,
    '  `src/take.ts`. It MAY wait.',
    `- **${B}** It SHOULD be quick.`,
    '',
    'Prose that belongs to nothing.',
  ].join('\n'),
  'contracts/openapi/data.yaml': `paths: { /t: { post: { operationId: take, x-req-id: [${A}] } } }`,
  'src/take.ts': 'export const take = 1;',
  'src/named.ts': `/** ${A} */\nexport const named = 1;`,
  'src/take.test.ts': `describe('${A} a task', () => { test('is taken', () => {}); });`,
  'package.json': JSON.stringify({ scripts: { bench: 'node bench.ts' } }),
};

/** Faults of the well-formed files with some of them changed. */
function faultsOf(changes: Readonly<Record<string, string>>): readonly string[] {
  const { faults } = traceRequirements(new Map(Object.entries({ ...WELL, ...changes })));
  return faults.map(({ at, message }) => `${at}: ${message}`);
}
const spec = (...lines: readonly string[]) => ({ '.specs/00.md': lines.join('\n') });

test('OC-TEST-7904 a requirement is tied to its operation, code and tests', () => {
  const { bySpec, faults } = traceRequirements(new Map(Object.entries(WELL)));
  expect(faults).toEqual([]);
  const [first, second] = bySpec.get('.specs/00.md') ?? [];
  expect(first).toMatchObject({
    requirement: {
      id: A,
      level: 'MUST',
      title: 'A task MUST be taken, see `src/take.ts`.',
      line: 3,
    },
    status: 'proven',
    operations: ['take'],
    code: ['src/named.ts', 'src/take.ts'],
    tests: new Map([['src/take.test.ts', [`${A} a task > is taken`]]]),
  });
  expect(second).toMatchObject({ requirement: { id: B, level: 'SHOULD' }, status: 'untested' });
});

test.each([
  ['a test', 'src/x.test.ts', `test('${UNKNOWN} x', () => {});`],
  [
    'the contract',
    'contracts/openapi/data.yaml',
    `paths: { /t: { get: { operationId: t, x-req-id: [${UNKNOWN}] } } }`,
  ],
  ['code', 'src/x.ts', `// ${UNKNOWN}`],
  ['a feature', 'test-harness/bdd/x.feature', `@${UNKNOWN}`],
  ['a document', 'README.md', UNKNOWN],
])('OC-TEST-7905 an id in %s that no spec states is reported', (_what, path, text) => {
  expect(faultsOf({ [path]: text })).toContain(`${path}:1: ${UNKNOWN} is stated by no spec`);
});

test('OC-TEST-7905 a MUST without a test is reported', () => {
  const message = `.specs/00.md:3: ${A} is a MUST without a test`;
  expect(faultsOf({ 'src/take.test.ts': '' })).toEqual([message]);
  const skipped = `describe.skip('${A}', () => { test('x', () => {}); }); test.todo('${A}');`;
  expect(faultsOf({ 'src/take.test.ts': skipped })).toEqual([message]);
});

test('OC-TEST-7905 a test that may be skipped is no proof', () => {
  const conditional = `describe.runIf(x)('${A}', () => { test('x', () => {}); });`;
  expect(faultsOf({ 'src/take.test.ts': conditional })).toEqual([
    `.specs/00.md:3: ${A} is a MUST without a test that is never skipped`,
  ]);
});

test('OC-TEST-7905 what is planned needs no test, and must not have one', () => {
  const planned = spec(`- **${A}** It MUST be. \`status: planned\``);
  expect(faultsOf({ ...planned, 'src/take.test.ts': '' })).toEqual([]);
  expect(faultsOf(planned)).toEqual([
    `.specs/00.md:1: ${A} is planned, but src/take.test.ts has a test of it`,
  ]);
});

test('OC-TEST-7905 another proof must be a script or a file', () => {
  const proven = (command: string) => ({
    ...spec(`- **${A}** It MUST be fast: \`proof: ${command}\``),
    'src/take.test.ts': '',
  });
  expect(faultsOf(proven('TRACES=DIR npm run bench -- --quick'))).toEqual([]);
  expect(faultsOf(proven('node src/take.ts'))).toEqual([]);
  expect(faultsOf(proven('npm run benhc'))).toEqual([
    `.specs/00.md:1: ${A} is proven by "npm run benhc", which is neither a script nor a file`,
  ]);
});

test('OC-TEST-7905 an id that is stated twice is reported', () => {
  expect(faultsOf({ '.specs/01.md': `- **${A}** It MUST be so.` })).toContain(
    `.specs/01.md:1: ${A} is stated already in .specs/00.md:3`,
  );
});

test('OC-TEST-7905 a requirement that says nothing, or stands in the middle of another, is reported', () => {
  const odd = spec(`- **${A}** A task is. **${B}** It MUST be.`);
  expect(faultsOf(odd)).toContain(
    '.specs/00.md:1: a bold id stands elsewhere than at the beginning of a list item',
  );
  expect(faultsOf(spec(`- **${A}** A task is.`))).toContain(
    `.specs/00.md:1: ${A} says neither MUST, SHOULD nor MAY`,
  );
});

test('OC-TEST-7904 reports that differ from what specs and tests give are reported', () => {
  const reports = reportsOf(traceRequirements(new Map(Object.entries(WELL))));
  expect([...reports.keys()]).toEqual(['requirements/00.yaml', 'COMPLIANCE.md']);
  expect(drift(reports, new Map(reports))).toEqual([]);

  const renamed = { ...WELL, 'src/take.test.ts': `test('${A} is renamed', () => {});` };
  expect(drift(reportsOf(traceRequirements(new Map(Object.entries(renamed)))), reports)).toEqual([
    { at: 'requirements/00.yaml:15', message: 'is not what specs and tests give' },
  ]);
  expect(drift(reports, new Map([['requirements/99.yaml', '']]))).toEqual([
    { at: 'requirements/99.yaml', message: 'belongs to no spec' },
    { at: 'requirements/00.yaml', message: 'is missing' },
    { at: 'COMPLIANCE.md', message: 'is missing' },
  ]);
});

test('OC-TEST-7904 the order in which files are found changes nothing', () => {
  const reversed = new Map(Object.entries(WELL).toReversed());
  expect(reportsOf(traceRequirements(reversed))).toEqual(
    reportsOf(traceRequirements(new Map(Object.entries(WELL)))),
  );
});
