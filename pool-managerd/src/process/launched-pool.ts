import type { HostPoolConfig } from '@llama-orch/contracts';
import type { PoolConfig } from '../pool-config.ts';
import type { EngineInputs } from './engine-inputs.ts';
import { deviceOf, takesTurns } from './pool-checks.ts';

/** A pool whose replicas this process launches or connects to, as its configuration says. */
export type LaunchedPool = Omit<HostPoolConfig, 'env' | 'on_demand'> &
  Partial<Pick<HostPoolConfig, 'env' | 'on_demand'>> & {
    /** Set for pools that take turns on their devices, and are loaded when it is theirs. */
    readonly keep_alive_ms?: number | undefined;
    /** Set where the metrics of its engines are read by this process, and not at their default place. */
    readonly metrics_url?: string | undefined;
  };

/** @param inputs what its engine needs beside the configuration */
export function toPoolConfig(pool: LaunchedPool, inputs: EngineInputs | undefined): PoolConfig {
  const { timeouts, restart } = pool;
  return {
    id: pool.id,
    engine: pool.engine,
    launch: pool.launch,
    modelId: pool.model.id,
    modelPath: pool.model.path,
    modelDigest: digestOf(pool.model.sha256),
    servedName: pool.model.served_name,
    chatTemplate: inputs?.chatTemplate,
    apiKey: inputs?.apiKey,
    textOutput: pool.text_output,
    metricsUrl: pool.metrics_url,
    workloads: pool.workloads,
    device: deviceOf(pool),
    tensorSplit: pool.tensor_split,
    memoryBytes: pool.memory_bytes,
    startLoaded: !takesTurns(pool),
    replicas: pool.replicas,
    slots: pool.slots,
    ctx: pool.ctx,
    threads: pool.threads,
    endpoints: pool.endpoints,
    command: pool.command,
    env: pool.env,
    connectMs: timeouts.connect_ms,
    controlMs: timeouts.control_ms,
    // The core's watchdogs judge a task; these only keep a dead socket from living for ever.
    headersMs: timeouts.wall_ms,
    bodyMs: timeouts.wall_ms,
    loadMs: timeouts.load_ms,
    // What runs ends by then in any case.
    retireMs: timeouts.wall_ms,
    restart: {
      baseMs: restart.initial_delay_ms,
      maxMs: restart.max_delay_ms,
      maxInWindow: restart.max_restarts,
      windowMs: restart.window_ms,
      openAfter: restart.breaker_failures,
      coolDownMs: restart.cool_down_ms,
    },
  };
}

/** As digests are written everywhere but in the configuration. */
export function digestOf(sha256: string | undefined): string | undefined {
  return sha256 === undefined ? undefined : `sha256:${sha256}`;
}
