/**
 * The layers of a configuration: flags over environment over file. What they say together is for the
 * schema to check; every fault it finds is told with where the value was set.
 */
import { isAbsolute, resolve } from 'node:path';

import type { FaultDetail, HostPoolConfig } from '@llama-orch/contracts';
import { invalidParams, jsonPointer, type OrchError } from '@llama-orch/contracts';

import type { ConfigFile } from './config-file.ts';
import { parseConfigFile, readConfigText } from './config-file.ts';
import { readEnvironment } from './environment.ts';
import { parseFlags } from './flags.ts';
import type { Program } from './program.ts';
import { applySetting, type Setting } from './setting.ts';

export interface LayersInput {
  /** The arguments after the script's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute; relative paths in flags and variables start here. */
  readonly cwd: string;
  /** Returns a file's text or throws like `fs`. */
  readonly readFile?: (path: string) => string;
}

export class ConfigLayers {
  readonly file: ConfigFile | undefined;
  /** JSON pointer → flag or variable that set it; what is not here comes from the file or a default. */
  readonly sources: ReadonlyMap<string, string>;
  readonly #cwd: string;
  readonly #settings: readonly Setting[];

  /** @throws OrchError INVALID_PARAMS naming the flag, variable or place in the file at fault */
  constructor(input: LayersInput, program: Program) {
    const flags = parseFlags(input.argv, program);
    const environment = readEnvironment(input.env, program);
    this.#cwd = input.cwd;
    this.file = openFile(input, flags.configFile ?? environment.configFile, program);
    this.#settings = [...environment.settings, ...flags.settings];
    this.sources = new Map(this.#settings.map((s) => [jsonPointer(...s.keys), s.source]));
  }

  /**
   * Everything said, as one tree for the schema to check.
   * @param beneath top-level values that must be there before a variable can change a part of them
   */
  merged(beneath: Readonly<Record<string, unknown>> = {}): unknown {
    const tree: unknown = structuredClone(this.file?.value ?? {});
    if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return tree;
    const root: Record<string, unknown> = { ...beneath, ...tree };
    for (const setting of this.#settings) applySetting(root, setting);
    return root;
  }

  /** The error for faults of the merged tree, each with where its value was set. */
  refusal(faults: readonly FaultDetail[]): OrchError {
    const details = faults.map(({ path, message }) => {
      const { file, sources } = this;
      const place = sources.get(path) ?? (file && `${file.path}:${file.positionOf(path)}`);
      return { path, message: place === undefined ? message : `${message} (${place})` };
    });
    return invalidParams('The configuration', details);
  }

  /**
   * What the file says is relative to `base`; what flags and variables say, to the working directory.
   * @param pointer names the value
   */
  absolute(path: string, pointer: string, base: string): string {
    return isAbsolute(path) ? path : resolve(this.sources.has(pointer) ? this.#cwd : base, path);
  }

  /** The model of a pool, by the pool's place, with the files it names made absolute. */
  model<M extends HostPoolConfig['model']>(model: M, place: number, base: string): M {
    const files = (['path', 'chat_template'] as const).flatMap((key) => {
      const path = model[key];
      if (path === undefined) return [];
      const pointer = jsonPointer('pools', place, 'model', key);
      return [[key, this.absolute(path, pointer, base)] as const];
    });
    return { ...model, ...Object.fromEntries(files) };
  }
}

function openFile(
  { cwd, readFile = readConfigText }: LayersInput,
  named: string | undefined,
  { defaultFile, variablePrefix }: Program,
): ConfigFile | undefined {
  const name = named ?? defaultFile;
  if (name === undefined) {
    const message = `names the configuration; so does the variable ${variablePrefix}CONFIG`;
    throw invalidParams('The command line', [{ path: '--config', message }]);
  }
  const path = resolve(cwd, name);
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
