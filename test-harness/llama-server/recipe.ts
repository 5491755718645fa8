/** Which `llama-server` is built, from what, and where it is kept. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * CPU only, one file, and nothing from the network: llama.cpp's build would fetch web assets, and look
 * for OpenSSL. Not for this machine's own processor (GGML_NATIVE), because a cache may be copied to
 * another; on x86-64 it needs AVX2.
 *
 * Without GGML_LLAMAFILE, which is on by default: those matrix kernels add in another order when more
 * slots decode at once, so that about one haiku in a hundred came out different beside neighbours. With
 * it a server is byte-exact only with one slot.
 */
export const CMAKE_FLAGS: readonly string[] = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DBUILD_SHARED_LIBS=OFF',
  '-DFETCHCONTENT_FULLY_DISCONNECTED=ON',
  '-DGGML_CCACHE=OFF',
  '-DGGML_LLAMAFILE=OFF',
  '-DGGML_NATIVE=OFF',
  '-DGGML_OPENMP=OFF',
  '-DLLAMA_BUILD_APP=OFF',
  '-DLLAMA_BUILD_EXAMPLES=OFF',
  '-DLLAMA_BUILD_TESTS=OFF',
  '-DLLAMA_BUILD_UI=OFF',
  '-DLLAMA_OPENSSL=OFF',
  '-DLLAMA_USE_PREBUILT_UI=OFF',
];

export interface Recipe {
  /** llama.cpp's own name of the version, such as `v0.5.0`. */
  readonly release: string;
  readonly commit: string;
  /** A git bundle that holds the sources. */
  readonly bundle: string;
  readonly flags: readonly string[];
  /** Where builds are kept, one folder each. */
  readonly cache: string;
  /** Of this build; it exists only when it is complete. */
  readonly folder: string;
  readonly binary: string;
}

export interface RecipeOptions {
  readonly env: NodeJS.ProcessEnv;
  /** The folder of node-llama-cpp's package that holds the bundle. */
  readonly sources?: string;
}

/** @throws Error when node-llama-cpp is not installed, or ships its sources in another way */
export function llamaServerRecipe({ env, sources = shippedSources() }: RecipeOptions): Recipe {
  const bundle = join(sources, 'gitRelease.bundle');
  const { tag: release } = JSON.parse(
    readFileSync(join(sources, 'llama.cpp.info.json'), 'utf8'),
  ) as { tag: string };
  const commit = headOfBundle(bundle);
  const cache = cacheFolder(env);
  const identity = JSON.stringify([commit, process.platform, process.arch, CMAKE_FLAGS]);
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 12);
  const folder = join(cache, `${release}-${hash}`);
  const binary = join(folder, 'llama-server');
  return { release, commit, bundle, flags: CMAKE_FLAGS, cache, folder, binary };
}

export function isBuilt(recipe: Recipe): boolean {
  return existsSync(recipe.binary);
}

/** https://specifications.freedesktop.org/basedir-spec: XDG_CACHE_HOME, where it is set. */
function cacheFolder(env: NodeJS.ProcessEnv): string {
  const { LLAMA_SERVER_CACHE: own, XDG_CACHE_HOME: shared } = env;
  if (own) return own;
  return join(shared || join(homedir(), '.cache'), 'llama-orch', 'llama-server');
}

function shippedSources(): string {
  const entry = createRequire(import.meta.url).resolve('node-llama-cpp');
  return join(dirname(entry), '..', 'llama');
}

/** The head is one line of the text before the pack (git-bundle, "BUNDLE FORMAT"). */
function headOfBundle(bundle: string): string {
  const text = Buffer.alloc(4096);
  const file = openSync(bundle, 'r');
  try {
    readSync(file, text, 0, text.length, 0);
  } finally {
    closeSync(file);
  }
  const commit = /^([0-9a-f]{40,64}) HEAD$/m.exec(text.toString('latin1'))?.[1];
  if (commit === undefined) throw new Error(`${bundle} is no git bundle with a HEAD`);
  return commit;
}
