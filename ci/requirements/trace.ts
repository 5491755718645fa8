/**
 * Ties each requirement of the specs to the operations, code and tests that name it, and says what
 * does not fit. Pure: files come as texts, so faults can be planted in tests.
 */
import { operationsOf } from './contract-operations.ts';
import { scenarioTitles } from './feature-scenarios.ts';
import type { Fault } from './requirement-ids.ts';
import { idsIn } from './requirement-ids.ts';
import type { Requirement } from './spec-requirements.ts';
import { readSpec } from './spec-requirements.ts';
import type { TestTitle } from './test-titles.ts';
import { testTitles } from './test-titles.ts';

/** Path from the repository's root → text. */
export type Files = ReadonlyMap<string, string>;

/**
 * `proven`: tests carry its id. `partly planned`: they do, and a part is not implemented.
 * `proven otherwise`: by a command. `untested`: none of these, allowed below MUST only.
 */
export type Status = 'proven' | 'partly planned' | 'planned' | 'proven otherwise' | 'untested';

export interface Tracing {
  readonly requirement: Requirement;
  readonly status: Status;
  readonly operations: readonly string[];
  readonly code: readonly string[];
  /** Test file → titles of its tests that carry the id. */
  readonly tests: ReadonlyMap<string, readonly string[]>;
}

export interface Trace {
  /** By spec, in the order of their paths; within one in the order it states them. */
  readonly bySpec: ReadonlyMap<string, readonly Tracing[]>;
  readonly faults: readonly Fault[];
}

/** Who names an id: id → places of one sort, each once. */
type Index<Place> = ReadonlyMap<string, readonly Place[]>;

interface Titled extends TestTitle {
  readonly file: string;
}

export function traceRequirements(files: Files): Trace {
  const paths = [...files.keys()].toSorted();
  const specs = paths.filter((path) => /^\.specs\/[^/]+\.md$/.test(path));
  const readings = specs.map((path) => readSpec(path, files.get(path) ?? ''));
  const stated = readings.flatMap(({ requirements }) => requirements);
  const known = new Set(stated.map(({ id }) => id));

  const tests = indexTests(paths, files);
  const operations = indexOperations(paths, files);
  const code = indexCode(paths, files, tests);
  const tracings = stated.map((requirement): Tracing => {
    const titled = tests.get(requirement.id) ?? [];
    return {
      requirement,
      status: statusOf(
        requirement,
        titled.some(({ mayBeSkipped }) => !mayBeSkipped),
      ),
      operations: operations.get(requirement.id) ?? [],
      code: [...(code.get(requirement.id) ?? []), ...pathsIn(requirement.statement, paths)]
        .filter((path, i, all) => all.indexOf(path) === i)
        .toSorted(),
      tests: byFile(titled),
    };
  });
  return {
    bySpec: new Map(
      specs.map((spec) => [spec, tracings.filter(({ requirement }) => requirement.spec === spec)]),
    ),
    faults: [
      ...readings.flatMap(({ faults }) => faults),
      ...statedTwice(stated),
      ...unknownIds(paths, files, known),
      ...tracings.flatMap((tracing) => unproven(tracing, files)),
    ],
  };
}

function statusOf(requirement: Requirement, isTested: boolean): Status {
  if (requirement.planned) return 'planned';
  if (isTested) return requirement.plannedParts.length > 0 ? 'partly planned' : 'proven';
  return requirement.proof === undefined ? 'untested' : 'proven otherwise';
}

function indexTests(paths: readonly string[], files: Files): Index<Titled> {
  const places = paths.flatMap((file) => {
    const text = files.get(file) ?? '';
    if (idsIn(text).length === 0) return [];
    return titlesOf(file, text).flatMap((test) =>
      idsIn(test.title).map((id) => [id, { file, ...test }] as const),
    );
  });
  return grouped(places);
}

function titlesOf(file: string, text: string): readonly TestTitle[] {
  if (file.endsWith('.feature')) return scenarioTitles(text);
  return file.endsWith('.ts') ? testTitles(file, text) : [];
}

function indexOperations(paths: readonly string[], files: Files): Index<string> {
  const contracts = paths.filter((path) => /^contracts\/openapi\/[^/]+\.yaml$/.test(path));
  return grouped(
    contracts
      .flatMap((path) => [...operationsOf(files.get(path) ?? '')])
      .flatMap(([operation, ids]) => ids.map((id) => [id, operation] as const)),
  );
}

/** Sources that name an id and hold no test that carries one. */
function indexCode(paths: readonly string[], files: Files, tests: Index<Titled>): Index<string> {
  const testFiles = new Set([...tests.values()].flat().map(({ file }) => file));
  const sources = paths.filter(
    (path) => /\.(ts|js)$/.test(path) && !path.endsWith('.test.ts') && !testFiles.has(path),
  );
  return grouped(
    sources.flatMap((path) => idsIn(files.get(path) ?? '').map((id) => [id, path] as const)),
  );
}

function grouped<Place>(places: readonly (readonly [id: string, place: Place])[]): Index<Place> {
  const index = new Map<string, Place[]>();
  for (const [id, place] of places) {
    const list = index.get(id);
    if (list) list.push(place);
    else index.set(id, [place]);
  }
  return index;
}

/** Files and folders of the repository that a statement names in backticks. */
function pathsIn(statement: string, paths: readonly string[]): readonly string[] {
  const named = [...statement.matchAll(/`([\w.-]+(?:\/[\w.-]+)+)\/?`/g)].map((m) => m[1] ?? '');
  return named.filter((name) => paths.some((path) => path === name || path.startsWith(`${name}/`)));
}

function byFile(titled: readonly Titled[]): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, string[]>();
  for (const { file, title } of titled) {
    const titles = files.get(file) ?? [];
    if (!titles.includes(title)) titles.push(title);
    files.set(file, titles);
  }
  return files;
}

function statedTwice(stated: readonly Requirement[]): readonly Fault[] {
  const first = new Map<string, Requirement>();
  return stated.flatMap((requirement) => {
    const { id, spec, line } = requirement;
    const earlier = first.get(id);
    if (!earlier) {
      first.set(id, requirement);
      return [];
    }
    const message = `${id} is stated already in ${earlier.spec}:${earlier.line}`;
    return [{ at: `${spec}:${line}`, message }];
  });
}

function unknownIds(
  paths: readonly string[],
  files: Files,
  known: ReadonlySet<string>,
): readonly Fault[] {
  return paths.flatMap((path) => {
    const text = files.get(path) ?? '';
    return idsIn(text)
      .filter((id) => !known.has(id))
      .map((id) => {
        const line = text.slice(0, text.indexOf(id)).split('\n').length;
        return { at: `${path}:${line}`, message: `${id} is stated by no spec` };
      });
  });
}

/** What is wrong between a requirement's own words and what proves it. */
function unproven({ requirement, status, tests }: Tracing, files: Files): readonly Fault[] {
  const { id, spec, line, level, proof } = requirement;
  const at = `${spec}:${line}`;
  const faults: Fault[] = [];
  if (status === 'planned' && tests.size > 0) {
    const [file] = tests.keys();
    faults.push({ at, message: `${id} is planned, but ${file} has a test of it` });
  }
  if (status === 'untested' && level === 'MUST') {
    faults.push({
      at,
      message: `${id} is a MUST without a test${tests.size > 0 ? ' that is never skipped' : ''}`,
    });
  }
  if (proof !== undefined && !isProgram(proof, files)) {
    const message = `${id} is proven by "${proof}", which is neither a script nor a file`;
    faults.push({ at, message });
  }
  return faults;
}

/** Whether a command names an npm script, or a file of the repository. */
function isProgram(command: string, files: Files): boolean {
  const { scripts = {} } = JSON.parse(files.get('package.json') ?? '{}') as {
    readonly scripts?: Readonly<Record<string, string>>;
  };
  const script = /^(?:[A-Z_]+=\S+ )*npm (?:run )?(?<name>[\w:-]+)/.exec(command)?.groups?.['name'];
  if (script !== undefined) return Object.hasOwn(scripts, script);
  return command.split(' ').some((word) => files.has(word));
}
