/** What a pool's engine needs that does not stand in the configuration itself: its key, and its chat template. */
import type { FaultDetail, HostPoolConfig } from '@llama-orch/contracts';
import { jsonPointer } from '@llama-orch/contracts';

import { readConfigText } from './config-file.ts';
import type { LayersInput } from './config-layers.ts';

export interface EngineInputs {
  /** From the variable that `api_key_env` names. Never logged. */
  readonly apiKey: string | undefined;
  /** Text of the file that `model.chat_template` names. */
  readonly chatTemplate: string | undefined;
}

/** Of every pool, by its id. */
export type EngineInputsByPool = ReadonlyMap<string, EngineInputs>;

/** What travels in a header unchanged. */
const HEADER_TEXT = /^[\x21-\x7e]+$/;

/**
 * @param pools with absolute paths
 * @returns every fault found; `details` hold JSON pointers into the configuration, and never a key
 */
export function readEngineInputs(
  pools: readonly Pick<HostPoolConfig, 'id' | 'api_key_env' | 'model'>[],
  { env, readFile = readConfigText }: Pick<LayersInput, 'env' | 'readFile'>,
): { readonly inputs: EngineInputsByPool; readonly faults: readonly FaultDetail[] } {
  const faults: FaultDetail[] = [];
  const inputs = new Map<string, EngineInputs>();
  for (const [i, { id, api_key_env: variable, model }] of pools.entries()) {
    const apiKey = variable === undefined ? undefined : env[variable];
    if (variable !== undefined) {
      const message = keyFault(variable, apiKey);
      if (message !== undefined) {
        faults.push({ path: jsonPointer('pools', i, 'api_key_env'), message });
      }
    }
    let chatTemplate: string | undefined;
    try {
      if (model.chat_template !== undefined) chatTemplate = readFile(model.chat_template);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      const path = jsonPointer('pools', i, 'model', 'chat_template');
      faults.push({ path, message: `cannot be read (${code})` });
    }
    inputs.set(id, { apiKey, chatTemplate });
  }
  return { inputs, faults };
}

function keyFault(variable: string, key: string | undefined): string | undefined {
  if (!key) return `names ${variable}, which is not set`;
  if (HEADER_TEXT.test(key)) return undefined;
  return `names ${variable}, which holds more than visible ASCII characters`;
}
