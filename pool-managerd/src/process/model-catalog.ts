/** The models that a configuration names: what a pool can be told to serve. */
import type { HostPoolConfig, ModelEntry } from '@llama-orch/contracts';
import type { ModelTarget } from '../types.ts';
import { digestOf } from './launched-pool.ts';

interface Catalog {
  readonly models: readonly ModelEntry[];
  readonly pools: readonly Pick<HostPoolConfig, 'model'>[];
}

/** By id; an entry of `models` goes before a pool's own model of the same id. */
export function modelCatalog({ models, pools }: Catalog): ReadonlyMap<string, ModelTarget> {
  const known = new Map<string, ModelTarget>();
  for (const { model } of pools) {
    if (model.path !== undefined) known.set(model.id, toModelTarget(model));
  }
  for (const model of models) known.set(model.id, toModelTarget(model));
  return known;
}

export function toModelTarget({
  id,
  path,
  sha256,
}: Pick<HostPoolConfig['model'], 'id' | 'path' | 'sha256'>): ModelTarget {
  return { modelId: id, modelPath: path, modelDigest: digestOf(sha256) };
}
