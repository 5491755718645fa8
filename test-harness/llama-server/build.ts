/** Builds `llama-server` from the sources that node-llama-cpp ships. */
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { takeBuildLock } from './build-lock.ts';
import { isBuilt, type Recipe } from './recipe.ts';
import { MissingTool, runTool, ToolFailed } from './run-tool.ts';

export interface BuildOptions {
  readonly env: NodeJS.ProcessEnv;
  /** A line for whoever waits. */
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Far more than the five minutes it takes two cores. */
const BUILD_MS = 60 * 60_000;
const UNFINISHED = 'unfinished-';
const PROGRESS_STEP = 10;
const TARGET = 'llama-server';

/**
 * Builds it unless it is there already. Nothing shows in the cache before it is complete, and what an
 * interrupted build left behind is removed by the next one.
 * @returns the path of the binary
 * @throws MissingTool when git, cmake or a compiler is not installed; ToolFailed when one of them fails;
 *   the signal's reason when it is aborted
 */
export async function buildLlamaServer(recipe: Recipe, options: BuildOptions): Promise<string> {
  if (isBuilt(recipe)) return recipe.binary;
  const { env, say } = options;
  const deadline = AbortSignal.timeout(BUILD_MS);
  const signal =
    options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  await mkdir(recipe.cache, { recursive: true });
  using _lock = await takeBuildLock(join(recipe.cache, 'lock'), {
    withinMs: BUILD_MS,
    signal,
    onWait: () => say('waiting for another build of llama-server'),
  });
  await removeUnfinished(recipe.cache);
  // Whoever had the lock before may have built it.
  if (isBuilt(recipe)) return recipe.binary;

  const scratch = await mkdtemp(join(recipe.cache, UNFINISHED));
  try {
    const result = await compile(recipe, scratch, { env, say, signal });
    await rename(result, recipe.folder);
  } finally {
    await remove(scratch);
  }
  return recipe.binary;
}

interface CompileOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** @returns a folder with the binary, and a note of what it is */
async function compile(recipe: Recipe, scratch: string, options: CompileOptions): Promise<string> {
  const { env, say, signal } = options;
  const tool = { env, signal };
  const source = join(scratch, 'source');
  const build = join(scratch, 'build');
  const result = join(scratch, 'result');
  for (const command of ['git', 'cmake']) await runTool(command, ['--version'], tool);
  const jobs = availableParallelism();
  say(`building llama-server ${recipe.release} with ${jobs} jobs; two cores take about 5 minutes`);
  await runTool('git', ['clone', '--quiet', recipe.bundle, source], tool);
  await configure(['-S', source, '-B', build, ...recipe.flags], tool);
  await runTool('cmake', ['--build', build, '--target', TARGET, '--parallel', String(jobs)], {
    ...tool,
    onLine: progressTeller(say),
  });
  await mkdir(result);
  const binary = join(result, TARGET);
  await copyFile(join(build, 'bin', TARGET), binary);
  const version = await runTool(binary, ['--version'], tool);
  const { release, commit, flags } = recipe;
  await writeFile(
    join(result, 'build.json'),
    `${JSON.stringify({ release, commit, flags, version }, null, 2)}\n`,
  );
  return result;
}

async function configure(
  args: readonly string[],
  tool: Pick<CompileOptions, 'env' | 'signal'>,
): Promise<void> {
  try {
    await runTool('cmake', args, tool);
  } catch (error) {
    if (error instanceof ToolFailed && /No CMAKE_C(XX)?_COMPILER could be/.test(error.output)) {
      throw new MissingTool('cmake finds no C and C++ compiler', { cause: error });
    }
    throw error;
  }
}

/** Tells each tenth of the way, from the `[ 42%]` of make or the `[12/300]` of ninja. */
function progressTeller(say: (line: string) => void): (line: string) => void {
  let told = 0;
  return (line) => {
    const [, percent, step, steps] = /^\[ *(?:(\d+)%|(\d+)\/(\d+))\]/.exec(line) ?? [];
    const done = percent === undefined ? (Number(step) / Number(steps)) * 100 : Number(percent);
    if (!(done >= told + PROGRESS_STEP)) return;
    told = Math.floor(done / PROGRESS_STEP) * PROGRESS_STEP;
    say(`  ${told} %`);
  };
}

/** Only the holder of the lock builds, so everything unfinished is of a build that died. */
async function removeUnfinished(cache: string): Promise<void> {
  const names = await readdir(cache);
  const left = names.filter((name) => name.startsWith(UNFINISHED));
  await Promise.all(left.map((name) => remove(join(cache, name))));
}

/** Compilers of a build that was killed may still write for a moment: hence the retries. */
function remove(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}
