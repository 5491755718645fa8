/** Which engine writes the haiku: our own by default, else any llama-server that the environment names. */
import { buildLlamaServer } from '../llama-server/build.ts';
import { realPool } from '../llama-server/launch.ts';
import { llamaServerRecipe } from '../llama-server/recipe.ts';
import { embeddedPool, externalPool, TINY_HAIKU, type PoolInput } from '../src/temp-config.ts';

const ANSWER_MS = 10_000;

export interface EngineChoice {
  readonly pool: PoolInput;
  /** The file it loads, where it is ours to read. */
  readonly modelPath: string | undefined;
  readonly name: string;
}

/**
 * Without `REQUIRE_REAL_LLAMA=1` the engine that ships with us. With it the server at `LLAMA_SERVER_URL`, or
 * else one that is built from source and given `LLAMA_MODEL`, a GGUF file; tiny-haiku when none is named.
 * @throws Error when a server is asked for and cannot be built, or does not answer
 */
export async function chooseEngine(env: NodeJS.ProcessEnv): Promise<EngineChoice> {
  const { REQUIRE_REAL_LLAMA: isAsked, LLAMA_SERVER_URL: url, LLAMA_MODEL: model } = env;
  if (isAsked !== '1') {
    return { pool: embeddedPool({ replicas: 1 }), modelPath: TINY_HAIKU, name: 'embedded' };
  }
  if (url) {
    const pool = externalPool([url], { model: { id: 'haiku' }, ctx: await contextOf(url) });
    return { pool, modelPath: undefined, name: url };
  }
  const say = (line: string): void => console.log(line);
  const binary = await buildLlamaServer(llamaServerRecipe({ env }), { env, say });
  const modelPath = model || TINY_HAIKU;
  const pool = realPool(binary, { replicas: 1, model: { id: 'haiku', path: modelPath } });
  return { pool, modelPath, name: `llama-server with ${modelPath}` };
}

interface Props {
  readonly default_generation_settings?: { readonly n_ctx?: number };
}

/** Of one slot: a pool that promises more than its engine has does not get ready. */
async function contextOf(url: string): Promise<number> {
  const answer = await fetch(new URL('/props', url), { signal: AbortSignal.timeout(ANSWER_MS) });
  const { default_generation_settings: settings } = (await answer.json()) as Props;
  if (settings?.n_ctx === undefined) throw new Error(`${url} is no llama-server: it has no /props`);
  return settings.n_ctx;
}
