/** Which engine writes the haiku: our own by default, else any llama-server that the environment names. */
import { buildLlamaServer } from '../llama-server/build.ts';
import { realPool } from '../llama-server/launch.ts';
import { llamaServerRecipe } from '../llama-server/recipe.ts';
import { embeddedPool, externalPool, TINY_HAIKU, type PoolInput } from '../src/temp-config.ts';

export interface EngineChoice {
  readonly pool: PoolInput;
  /** The file it loads, where it is ours to read. */
  readonly modelPath: string | undefined;
  readonly name: string;
}

/**
 * Without `REQUIRE_REAL_LLAMA=1` the engine that ships with us. With it the server at `LLAMA_SERVER_URL`, or
 * else one that is built from source and given `LLAMA_MODEL`, a GGUF file; tiny-haiku when none is named.
 * @throws Error when a server is asked for and cannot be built
 */
export async function chooseEngine(env: NodeJS.ProcessEnv): Promise<EngineChoice> {
  const { REQUIRE_REAL_LLAMA: isAsked, LLAMA_SERVER_URL: url, LLAMA_MODEL: model } = env;
  if (isAsked !== '1') {
    return { pool: embeddedPool({ replicas: 1 }), modelPath: TINY_HAIKU, name: 'embedded' };
  }
  if (url) return { pool: externalPool([url]), modelPath: undefined, name: url };
  const say = (line: string): void => console.log(line);
  const binary = await buildLlamaServer(llamaServerRecipe({ env }), { env, say });
  const modelPath = model || TINY_HAIKU;
  const pool = realPool(binary, { replicas: 1, model: { id: 'haiku', path: modelPath } });
  return { pool, modelPath, name: `llama-server with ${modelPath}` };
}
