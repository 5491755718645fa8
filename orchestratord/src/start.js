/** `npm start`: `main.ts` with the compile cache on. */
import { useCompileCache } from './compile-cache.js';

useCompileCache();
await import('./main.ts');
