/** The models that operators may tell a pool to serve: what `new_model_ref` stands for. */
import { basename, isAbsolute } from 'node:path';
import { invalidParams, isName, type Config } from '@llama-orch/contracts';
import type { ModelTarget } from '@llama-orch/pool-managerd';
import { digestOf } from '@llama-orch/pool-managerd/process';

export type FindModel = (ref: string) => ModelTarget;

/** An entry of `models` goes before a pool's own model of the same id. */
export function modelFinder({ models, pools }: Pick<Config, 'models' | 'pools'>): FindModel {
  const known = new Map<string, ModelTarget>();
  for (const { model } of pools) {
    if (model.path !== undefined) known.set(model.id, toTarget({ ...model, path: model.path }));
  }
  for (const model of models) known.set(model.id, toTarget(model));
  return (ref) => known.get(ref) ?? byPath(ref);
}

/** @throws OrchError INVALID_PARAMS for what is no absolute path */
function byPath(path: string): ModelTarget {
  if (!isAbsolute(path)) {
    const message = 'is neither the id of a configured model nor an absolute path';
    throw invalidParams('The request body', [{ path: '/new_model_ref', message }]);
  }
  return toTarget({ id: idOfFile(path), path });
}

/** The file's name without its ending, as far as an id may look like it. */
function idOfFile(path: string): string {
  const name = basename(path)
    .replace(/\.gguf$/i, '')
    .replaceAll(/[^A-Za-z0-9._-]/g, '_')
    .slice(0, 64);
  return isName(name) ? name : 'model';
}

function toTarget(model: { id: string; path: string; sha256?: string }): ModelTarget {
  return { modelId: model.id, modelPath: model.path, modelDigest: digestOf(model.sha256) };
}
