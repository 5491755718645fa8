/**
 * What processes have run that Node itself measured, one file each in the folder that `NODE_V8_COVERAGE` names.
 * A process that is killed leaves none, so this is never more than was run.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { mergeScriptCovs } from '@bcoe/v8-coverage';
import astV8ToIstanbul from 'ast-v8-to-istanbul';
import { parseAstAsync } from 'vitest/node';

/** Lines a statement starts on (from 1), and whether one was run. */
export type LineHits = ReadonlyMap<number, boolean>;

/** What so many processes tell of a script is merged at once: it bounds what is held, and is cheaper than one by one. */
const BATCH = 16;

/** Merges what many processes tell of each script, holding few of them at a time. */
export class ScriptCoverages {
  readonly #merged = new Map<string, Profiler.ScriptCoverage[]>();

  add(script: Profiler.ScriptCoverage): void {
    const known = this.#merged.get(script.url) ?? [];
    known.push(script);
    this.#merged.set(script.url, known.length < BATCH ? known : merge(known));
  }

  has(file: string): boolean {
    return this.#merged.has(pathToFileURL(file).href);
  }

  functionsOf(url: string): Profiler.FunctionCoverage[] {
    return merge(this.#merged.get(url) ?? [])[0]?.functions ?? [];
  }
}

function merge(scripts: readonly Profiler.ScriptCoverage[]): Profiler.ScriptCoverage[] {
  const merged = mergeScriptCovs(scripts);
  return merged === undefined ? [] : [merged];
}

/**
 * Reads every file in `folder`, one at a time, and keeps what is of `files` (absolute paths). A file that is cut off
 * is passed over: its process was killed while it wrote.
 */
export function readChildren(folder: string, files: readonly string[]): ScriptCoverages {
  const urls = new Set(files.map((file) => pathToFileURL(file).href));
  const scripts = new ScriptCoverages();
  for (const name of readdirSync(folder)) {
    for (const script of readProcess(join(folder, name))) {
      if (urls.has(script.url)) scripts.add(script);
    }
  }
  return scripts;
}

function readProcess(file: string): readonly Profiler.ScriptCoverage[] {
  const text = readFileSync(file, 'utf8');
  try {
    return (JSON.parse(text) as { readonly result: readonly Profiler.ScriptCoverage[] }).result;
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/** The lines of `file` (an absolute path) that can be run, and whether `scripts` ran them. */
export async function childLines(file: string, scripts: ScriptCoverages): Promise<LineHits> {
  const url = pathToFileURL(file).href;
  // What Node runs: types become blanks, so every position is that of the source.
  const source = readFileSync(file, 'utf8');
  const code = file.endsWith('.ts') ? stripTypeScriptTypes(source) : source;
  const coverage = await astV8ToIstanbul({
    code,
    ast: parseAstAsync(code),
    coverage: { url, functions: scripts.functionsOf(url) },
  });
  const found = Object.values(coverage)[0];
  if (found === undefined) throw new Error(`no lines were found in ${fileURLToPath(url)}`);
  return lineHits(found);
}

/** The part of istanbul's coverage of a file that lines are made of. */
export interface Statements {
  readonly statementMap: Readonly<Record<string, { readonly start: { readonly line: number } }>>;
  readonly s: Readonly<Record<string, number>>;
}

export function lineHits({ statementMap, s }: Statements): LineHits {
  const lines = new Map<number, boolean>();
  for (const [id, { start }] of Object.entries(statementMap)) {
    lines.set(start.line, (lines.get(start.line) ?? false) || (s[id] ?? 0) > 0);
  }
  return lines;
}
