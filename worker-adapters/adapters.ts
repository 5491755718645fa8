import { LLAMACPP_CAPABILITIES, openLlamaCpp } from './llamacpp/adapter.ts';
import type { AdapterCapabilities, EngineName, OpenAdapter } from './api/types.ts';

export interface EngineAdapter {
  readonly open: OpenAdapter;
  readonly capabilities: AdapterCapabilities;
}

const ADAPTERS: Readonly<Partial<Record<EngineName, EngineAdapter>>> = {
  llamacpp: { open: openLlamaCpp, capabilities: LLAMACPP_CAPABILITIES },
};

/** How an engine is spoken to, and what may be asked of it. @throws Error for one without an adapter */
export function adapterOf(engine: EngineName): EngineAdapter {
  const adapter = ADAPTERS[engine];
  if (adapter === undefined) throw new Error(`there is no adapter for ${engine}`);
  return adapter;
}
