import { createHash } from 'node:crypto';

/** What replicas must share to give the same tokens for the same request (ORCH-3007, ORCH-3046). */
export interface PinnedTuple {
  readonly engine: string;
  readonly engineVersion: string;
  /** `sha256:…`, or '' where the file cannot be read. */
  readonly modelDigest: string;
  /** What the engine itself calls its model: all there is to go by without a digest. */
  readonly modelName: string;
  readonly quant: string;
  readonly ctx: number;
  readonly samplerProfileVersion: string;
}

/** Twelve hex digits: short enough to read, and a daemon sees a handful of sets, not millions. */
export function replicaSetId(tuple: PinnedTuple): string {
  const model = tuple.modelDigest === '' ? `unverified:${tuple.modelName}` : tuple.modelDigest;
  const { engine, engineVersion, quant, ctx, samplerProfileVersion } = tuple;
  const text = JSON.stringify([engine, engineVersion, model, quant, ctx, samplerProfileVersion]);
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
