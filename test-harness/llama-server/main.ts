/**
 * `npm run build:llama-server`: prints the path of the binary, after building it where it is not built yet.
 * Exit status 3 says that a tool is missing, 4 (with --cached) that it is not built.
 */
import { parseArgs } from 'node:util';
import { buildLlamaServer } from './build.ts';
import { isBuilt, llamaServerRecipe } from './recipe.ts';
import { MissingTool, ToolFailed } from './run-tool.ts';

const USAGE = `npm run build:llama-server [-- --cached]

Builds llama-server from the llama.cpp sources inside node-llama-cpp, once, and prints its path.
It needs git, cmake and a C++ compiler, and no network.

  --cached   only looks: exits with 4 when it is not built yet

LLAMA_SERVER_CACHE names another folder than ~/.cache/llama-orch/llama-server.
`;
const EXIT_MISSING_TOOL = 3;
const EXIT_NOT_BUILT = 4;

const { values: flags } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    cached: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  if (flags.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const recipe = llamaServerRecipe({ env: process.env });
  if (flags.cached && !isBuilt(recipe)) return EXIT_NOT_BUILT;
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => abort.abort(new Error(`stopped by ${signal}`)));
  }
  try {
    const { env } = process;
    const binary = await buildLlamaServer(recipe, { env, say, signal: abort.signal });
    process.stdout.write(`${binary}\n`);
    return 0;
  } catch (error) {
    if (error instanceof MissingTool) {
      say(`llama-server was not built: ${error.message}.`);
      say('Install git, cmake and a C++ compiler: apt-get install git cmake g++');
      return EXIT_MISSING_TOOL;
    }
    say(`llama-server was not built: ${error instanceof Error ? error.message : String(error)}`);
    if (error instanceof ToolFailed) {
      say(
        'The build uses no network. If a download was attempted, a flag in recipe.ts must forbid it.',
      );
    }
    return 1;
  }
}

process.exitCode = await main();
