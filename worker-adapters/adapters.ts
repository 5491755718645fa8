import type { AdapterCapabilities, EngineName, OpenAdapter } from './api/types.ts';
import { LLAMACPP_CAPABILITIES, openLlamaCpp } from './llamacpp/adapter.ts';
import { OPENAI_CAPABILITIES, openOpenAi } from './openai/adapter.ts';
import { openTgi, TGI_CAPABILITIES } from './tgi/adapter.ts';
import { openTriton, TRITON_CAPABILITIES } from './triton/adapter.ts';
import { openVllm, VLLM_CAPABILITIES } from './vllm/adapter.ts';

export interface EngineAdapter {
  readonly open: OpenAdapter;
  readonly capabilities: AdapterCapabilities;
}

const ADAPTERS: Readonly<Record<EngineName, EngineAdapter>> = {
  llamacpp: { open: openLlamaCpp, capabilities: LLAMACPP_CAPABILITIES },
  vllm: { open: openVllm, capabilities: VLLM_CAPABILITIES },
  tgi: { open: openTgi, capabilities: TGI_CAPABILITIES },
  triton: { open: openTriton, capabilities: TRITON_CAPABILITIES },
  openai: { open: openOpenAi, capabilities: OPENAI_CAPABILITIES },
};

/** How an engine is spoken to, and what may be asked of it. */
export function adapterOf(engine: EngineName): EngineAdapter {
  return ADAPTERS[engine];
}
