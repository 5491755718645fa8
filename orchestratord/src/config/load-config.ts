/**
 * The configuration of one daemon: flags over environment over file over defaults, checked against
 * openapi/config.yaml and against itself. Every message names the value's path and who set it.
 */
import { dirname, isAbsolute, resolve } from 'node:path';

import type { Config, FaultDetail, PoolConfig } from '@llama-orch/contracts';
import { OrchError, invalidParams, jsonPointer, validateConfig } from '@llama-orch/contracts';

import type { ConfigFile } from './config-file.ts';
import { parseConfigFile, readConfigText } from './config-file.ts';
import { crossCheck } from './cross-checks.ts';
import { readEngineInputs, type EngineInputsByPool } from './engine-inputs.ts';
import { readEnvironment } from './environment.ts';
import { parseFlags } from './flags.ts';
import type { Setting } from './setting.ts';
import { applySetting } from './setting.ts';

const DEFAULT_FILE = 'llama-orch.yaml';

export interface ConfigInput {
  /** The arguments after the script's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute; relative paths in flags and variables start here. */
  readonly cwd: string;
  /** Absolute; where the default model is installed. */
  readonly projectRoot: string;
  /** Returns a file's text or throws like `fs`. */
  readonly readFile?: (path: string) => string;
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
  const flags = parseFlags(input.argv);
  const environment = readEnvironment(input.env);
  const file = openFile(input, flags.configFile, environment.configFile);
  const settings = [...environment.settings, ...flags.settings];
  const sources = new Map(settings.map((s) => [jsonPointer(...s.keys), s.source]));

  const checked = validateConfig(layered(file, settings));
  const faults = checked.ok ? crossCheck(checked.value) : checked.details;
  const refuse = (found: readonly FaultDetail[]): OrchError =>
    invalidParams(
      'The configuration',
      found.map((fault) => located(fault, file, sources)),
    );
  if (!checked.ok || faults.length > 0) throw refuse(faults);
  const config = resolved(checked.value, input, file, sources);
  const { env, readFile = readConfigText } = input;
  const beyond = readEngineInputs(config, env, readFile);
  if (beyond.faults.length > 0) throw refuse(beyond.faults);
  return { config, engineInputs: beyond.inputs, configFile: file?.path, sources };
}

function openFile(
  { cwd, readFile = readConfigText }: ConfigInput,
  flag: string | undefined,
  variable: string | undefined,
): ConfigFile | undefined {
  const named = flag ?? variable;
  const path = resolve(cwd, named ?? DEFAULT_FILE);
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    if (named === undefined && code === 'ENOENT') return undefined;
    const message = `cannot be read (${code})`;
    throw invalidParams('The configuration file', [{ path, message }]);
  }
  return parseConfigFile(path, text);
}

function layered(file: ConfigFile | undefined, settings: readonly Setting[]): unknown {
  const tree: unknown = structuredClone(file?.value ?? {});
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return tree;
  // The default pools must be there before a variable can change one of their values.
  const root: Record<string, unknown> = { pools: defaultPools(), ...tree };
  for (const setting of settings) applySetting(root, setting);
  return root;
}

function defaultPools(): readonly PoolConfig[] {
  const defaults = validateConfig({});
  if (!defaults.ok) throw new OrchError('INTERNAL', 'the configuration has no valid defaults');
  return defaults.value.pools;
}

function located(
  { path, message }: FaultDetail,
  file: ConfigFile | undefined,
  sources: ReadonlyMap<string, string>,
): FaultDetail {
  const place = sources.get(path) ?? (file && `${file.path}:${file.positionOf(path)}`);
  return { path, message: place === undefined ? message : `${message} (${place})` };
}

/**
 * Makes paths absolute: what the file says is relative to the file, what flags and variables say to
 * the working directory, and the default model to the installation. External replicas are counted.
 */
function resolved(
  config: Config,
  { cwd, projectRoot }: ConfigInput,
  file: ConfigFile | undefined,
  sources: ReadonlyMap<string, string>,
): Config {
  const fileDir = file ? dirname(file.path) : cwd;
  const filePools = Object.hasOwn(file?.value ?? {}, 'pools');
  const absolute = (path: string, pointer: string, base: string): string =>
    isAbsolute(path) ? path : resolve(sources.has(pointer) ? cwd : base, path);
  return {
    ...config,
    data_dir: absolute(config.data_dir, '/data_dir', fileDir),
    models: config.models.map((model, i) => ({
      ...model,
      path: absolute(model.path, jsonPointer('models', i, 'path'), fileDir),
    })),
    pools: config.pools.map((pool, i): PoolConfig => {
      const base = filePools ? fileDir : projectRoot;
      const files = (['path', 'chat_template'] as const).flatMap((key) => {
        const path = pool.model[key];
        if (path === undefined) return [];
        return [[key, absolute(path, jsonPointer('pools', i, 'model', key), base)] as const];
      });
      return {
        ...pool,
        device: pool.devices === undefined ? pool.device : `cuda:${pool.devices.join(',')}`,
        replicas: pool.endpoints?.length ?? pool.replicas,
        model: { ...pool.model, ...Object.fromEntries(files) },
      };
    }),
  };
}
