import { fileURLToPath } from 'node:url';

export { adapterOf } from './adapters.ts';
export type { EngineAdapter } from './adapters.ts';
export { EngineError, ENGINE_FAULTS } from './api/types.ts';
export type * from './api/types.ts';
export { foldSeed } from './api/fold-seed.ts';
export { LLAMACPP_CAPABILITIES, openLlamaCpp } from './llamacpp/adapter.ts';
export { OPENAI_CAPABILITIES, openOpenAi } from './openai/adapter.ts';
export { openTgi, TGI_CAPABILITIES } from './tgi/adapter.ts';
export { openTriton, TRITON_CAPABILITIES } from './triton/adapter.ts';
export { openVllm, VLLM_CAPABILITIES } from './vllm/adapter.ts';

/** Script of the engine process that ships with us; run by Node, see llamacpp-embedded/main.ts. */
export const EMBEDDED_ENTRY = fileURLToPath(
  new URL('./llamacpp-embedded/main.ts', import.meta.url),
);
