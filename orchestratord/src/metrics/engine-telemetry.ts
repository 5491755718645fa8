/** Asks each leased replica's engine for its own figures on a slow beat; for the gauges. */
import type { Lease, PoolManager } from '@llama-orch/pool-managerd';
import type { Clock } from '../clock.ts';
import type { Metrics } from './metrics.ts';

export interface EngineTelemetryOptions {
  readonly pools: PoolManager;
  readonly bridge: { leases(): Iterable<Lease> };
  readonly metrics: Metrics;
  readonly clock: Clock;
}

const EVERY_MS = 5_000;
const TIMEOUT_MS = 2_000;

export class EngineTelemetry {
  readonly #options: EngineTelemetryOptions;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(options: EngineTelemetryOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#stopped) return;
    this.#cancel = this.#options.clock.setTimer(EVERY_MS, () => {
      void this.#ask().finally(() => this.start());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async #ask(): Promise<void> {
    const { bridge } = this.#options;
    await Promise.all([...bridge.leases()].map((lease) => this.#askOne(lease)));
  }

  async #askOne(lease: Lease): Promise<void> {
    const { pools, metrics } = this.#options;
    try {
      const { adapter, snapshot } = pools.use(lease);
      const figures = await adapter.metrics(AbortSignal.timeout(TIMEOUT_MS));
      if (figures.kvUsage === undefined) return;
      metrics.kvCacheUsage.set(
        {
          engine: snapshot.engine,
          engine_version: snapshot.engineVersion,
          pool_id: snapshot.poolId,
          replica_id: snapshot.replicaId,
        },
        figures.kvUsage,
      );
    } catch {
      // The gauge keeps its last value; the pool manager's probes judge the replica.
    }
  }
}
