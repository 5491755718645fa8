/**
 * `npm start`: runs `main.ts` with Node's compile cache on. What an earlier start compiled, TypeScript
 * included, is loaded as it is; the type stripper, some 35 MB resident, is then never loaded at all. That
 * is why this file is JavaScript and imports the daemon only once the cache is on.
 */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

const CACHE_DIR = fileURLToPath(new URL('../../node_modules/.cache/llama-orch', import.meta.url));

// A folder that cannot be written only means no cache.
enableCompileCache(CACHE_DIR);
// The ledger's thread reads it from its environment.
process.env.NODE_COMPILE_CACHE = CACHE_DIR;
await import('./main.ts');
