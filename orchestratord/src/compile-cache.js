/**
 * Where the compiled daemon is kept between starts. With it Node loads what was compiled before as it
 * is, TypeScript included; the type stripper, some 35 MB resident, is then never loaded at all. JavaScript,
 * because whatever switches the cache on must not need the stripper itself.
 */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

const CACHE_DIR = fileURLToPath(new URL('../../node_modules/.cache/llama-orch', import.meta.url));

/** A folder that cannot be written only means no cache. Call before anything of ours is imported. */
export function useCompileCache() {
  enableCompileCache(CACHE_DIR);
  // The ledger's thread reads it from its environment.
  process.env.NODE_COMPILE_CACHE = CACHE_DIR;
}
