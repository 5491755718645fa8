import type { ModelFacts } from './model-digest.ts';
import type { PoolSettings } from './pool-config.ts';
import type { ReplicaMachine } from './replica-machine-types.ts';
import { replicaSetId } from './replica-set.ts';
import type { SelfTestReport } from './self-test.ts';
import type { GpuLoad, ReplicaSnapshot } from './types.ts';

/** What the latest passed self-test taught about the engine. */
export interface Learned {
  readonly report: SelfTestReport;
  readonly model: ModelFacts;
}

export interface SnapshotSource {
  readonly replicaId: string;
  readonly ordinal: number;
  readonly canaryPercent: number | undefined;
  readonly gpus: readonly GpuLoad[] | undefined;
  readonly pool: PoolSettings;
  readonly machine: ReplicaMachine;
  readonly learned: Learned | undefined;
  readonly url: string;
  readonly pid: number | undefined;
}

/** A replica as everybody else sees it. Until the engine has told its own, configuration stands in. */
export function toSnapshot(source: SnapshotSource): ReplicaSnapshot {
  const { replicaId, ordinal, canaryPercent, gpus, pool, machine, learned, url, pid } = source;
  const props = learned?.report.props;
  return {
    replicaId,
    poolId: pool.id,
    setId: learned === undefined ? '' : setIdOf(pool, learned),
    engine: pool.engine,
    engineVersion: props?.engineVersion ?? '',
    modelId: pool.modelId,
    modelDigest: learned === undefined ? '' : digestOf(learned),
    quant: learned?.model.quant ?? '',
    kvBytesPerToken: learned?.model.kvBytesPerToken ?? 0,
    device: pool.device,
    url,
    // More work than the engine has slots would wait inside it, where nobody can count it.
    slots: Math.min(pool.slots, props?.slots ?? pool.slots),
    ctx: props?.ctx ?? pool.ctx,
    kvTokens: props?.kvTokens,
    chunkTokens: props?.chunkTokens,
    exactPrefixReuse: props?.exactPrefixReuse ?? false,
    state: machine.state,
    restarts: machine.restarts,
    pid,
    lastError: machine.lastError?.message,
    readySinceMs: machine.readySinceMs,
    ordinal,
    canaryPercent,
    gpus,
  };
}

/** Our own hash of the file, else what the engine says of its model. */
function digestOf({ report: { props }, model }: Learned): string {
  return model.digest === '' ? (props.modelDigest ?? '') : model.digest;
}

function setIdOf(pool: PoolSettings, learned: Learned): string {
  const { report, model } = learned;
  const { props } = report;
  return replicaSetId({
    engine: pool.engine,
    engineVersion: props.engineVersion,
    modelDigest: digestOf(learned),
    modelName: props.modelPath ?? props.modelAlias,
    quant: model.quant,
    ctx: props.ctx ?? pool.ctx,
    samplerProfileVersion: pool.samplerProfileVersion,
  });
}
