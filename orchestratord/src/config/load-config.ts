/**
 * The configuration of one daemon: flags over environment over file over defaults, checked against
 * openapi/config.yaml and against itself. Every message names the value's path and who set it.
 */
import { dirname } from 'node:path';

import type { Config, PoolConfig } from '@llama-orch/contracts';
import { OrchError, jsonPointer, validateConfig } from '@llama-orch/contracts';
import {
  ConfigLayers,
  deviceOf,
  readEngineInputs,
  type EngineInputsByPool,
  type LayersInput,
} from '@llama-orch/pool-managerd/process';

import { crossCheck } from './cross-checks.ts';
import { ORCHESTRATORD } from './flags.ts';

export interface ConfigInput extends LayersInput {
  /** Absolute; where the default model is installed. */
  readonly projectRoot: string;
}

export interface LoadedConfig {
  /** Complete: defaults filled in, `data_dir` and paths of models and templates absolute. */
  readonly config: Config;
  readonly engineInputs: EngineInputsByPool;
  /** The file it came from, or undefined when there was none. */
  readonly configFile: string | undefined;
  /** JSON pointer → flag or variable that set it; what is not here comes from the file or a default. */
  readonly sources: ReadonlyMap<string, string>;
}

/** @throws OrchError INVALID_PARAMS; `details` name each value at fault and where it was set */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const layers = new ConfigLayers(input, ORCHESTRATORD);
  const checked = validateConfig(layers.merged({ pools: defaultPools() }));
  const faults = checked.ok ? crossCheck(checked.value) : checked.details;
  if (!checked.ok || faults.length > 0) throw layers.refusal(faults);
  const config = resolved(checked.value, input, layers);
  const beyond = readEngineInputs(config.pools, input);
  if (beyond.faults.length > 0) throw layers.refusal(beyond.faults);
  const { file, sources } = layers;
  return { config, engineInputs: beyond.inputs, configFile: file?.path, sources };
}

function defaultPools(): readonly PoolConfig[] {
  const defaults = validateConfig({});
  if (!defaults.ok) throw new OrchError('INTERNAL', 'the configuration has no valid defaults');
  return defaults.value.pools;
}

/**
 * Makes paths absolute: what the file says is relative to the file, what flags and variables say to
 * the working directory, and the default model to the installation. External replicas are counted.
 */
function resolved(config: Config, input: ConfigInput, layers: ConfigLayers): Config {
  const { file } = layers;
  const fileDir = file ? dirname(file.path) : input.cwd;
  const modelDir = Object.hasOwn(file?.value ?? {}, 'pools') ? fileDir : input.projectRoot;
  return {
    ...config,
    data_dir: layers.absolute(config.data_dir, '/data_dir', fileDir),
    models: config.models.map((model, i) => ({
      ...model,
      path: layers.absolute(model.path, jsonPointer('models', i, 'path'), fileDir),
    })),
    pools: config.pools.map((pool, i): PoolConfig => {
      return {
        ...pool,
        device: deviceOf(pool),
        replicas: pool.endpoints?.length ?? pool.replicas,
        model: layers.model(pool.model, i, modelDir),
      };
    }),
  };
}
