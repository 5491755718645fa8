/** The models that operators may tell a pool to serve: what `new_model_ref` stands for. */
import { basename, isAbsolute } from 'node:path';
import { invalidParams, isName, type Config, type OrchError } from '@llama-orch/contracts';
import type { ModelTarget } from '@llama-orch/pool-managerd';
import { modelCatalog, toModelTarget } from '@llama-orch/pool-managerd/process';

/** @throws OrchError INVALID_PARAMS for what is no model of the pool */
export type FindModel = (ref: string, poolId: string) => ModelTarget;

/**
 * Files are those of the host of the engines. Where that is another host, it looks for the id in its own
 * configuration; what this configuration says of its digest is demanded there.
 */
export function modelFinder(config: Pick<Config, 'models' | 'pools'>): FindModel {
  const known = modelCatalog(config);
  const remote = new Set(config.pools.flatMap((p) => (p.launch === 'remote' ? p.id : [])));
  return (ref, poolId) => {
    const found = known.get(ref);
    if (!remote.has(poolId)) return found ?? byPath(ref);
    return { modelDigest: undefined, ...found, modelId: idOnHosts(ref), modelPath: undefined };
  };
}

function byPath(path: string): ModelTarget {
  if (!isAbsolute(path))
    throw noModel('is neither the id of a configured model nor an absolute path');
  return toModelTarget({ id: idOfFile(path), path });
}

function idOnHosts(ref: string): string {
  if (isName(ref)) return ref;
  throw noModel('must be the id of a model in the configurations of the hosts');
}

function noModel(message: string): OrchError {
  return invalidParams('The request body', [{ path: '/new_model_ref', message }]);
}

/** The file's name without its ending, as far as an id may look like it. */
function idOfFile(path: string): string {
  const name = basename(path)
    .replace(/\.gguf$/i, '')
    .replaceAll(/[^A-Za-z0-9._-]/g, '_')
    .slice(0, 64);
  return isName(name) ? name : 'model';
}
