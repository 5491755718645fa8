/**
 * What a pool is told about itself. The daemon maps its validated YAML onto `PoolConfig`; whatever is
 * left out gets the default written beside the field.
 */
import type { EngineName, Workload } from '@llama-orch/worker-adapters';
import { fillCommand } from './command-line.ts';

export type LaunchKind = 'embedded' | 'process' | 'external';

export interface ProbePolicy {
  /** Between two probes of a ready replica, ms. Default 2000. */
  readonly intervalMs: number;
  /** Between two probes of an unready replica, ms. Default 500. */
  readonly unreadyIntervalMs: number;
  /** For one probe, ms. Default 2000. */
  readonly timeoutMs: number;
  /** Failed probes in a row until a replica gets no new work. Default 2. */
  readonly unreadyAfter: number;
  /** Failed probes in a row until the replica is given up and replaced. Default 4. */
  readonly replaceAfter: number;
}

export interface RestartPolicy {
  /** Upper bound of the first delay, ms; doubles with every failure in a row. Default 250. */
  readonly baseMs: number;
  /** Upper bound of every delay, ms. Default 30000. */
  readonly maxMs: number;
  /** Restarts of one replica within the window; one more and it has failed. Default 8. */
  readonly maxInWindow: number;
  /**
   * Restarts of the whole pool at once; further ones come so many per window, one after the other. Default
   * 4 per replica, at least 16.
   */
  readonly stormMax: number;
  /** Over which restarts and failures are counted, ms. Default 60000. */
  readonly windowMs: number;
  /** Being ready for this long forgives earlier failures, ms. Default 60000. */
  readonly stableMs: number;
  /** Like `baseMs`, after an error of the GPU driver. Default 5000. */
  readonly driverBaseMs: number;
  /** Failures of one replica within the window that open its circuit breaker. Default 5. */
  readonly openAfter: number;
  /** How long an open breaker lets nothing start, ms. Default 15000. */
  readonly coolDownMs: number;
}

export interface PoolSettings {
  readonly id: string;
  readonly engine: EngineName;
  readonly launch: LaunchKind;
  readonly modelId: string;
  /** Absolute path of the model file; needed by `embedded` and wherever a digest is wanted. */
  readonly modelPath: string | undefined;
  /** What the model file's SHA-256 must be, `sha256:…`; anything else is never served. */
  readonly modelDigest: string | undefined;
  /** The name the engine serves the model under; undefined: the model's id, `{alias}` in a command. */
  readonly servedName: string | undefined;
  /** Sent to the engine as a bearer token; never logged. */
  readonly apiKey: string | undefined;
  /** Jinja chat template, for engines that have none of their own. */
  readonly chatTemplate: string | undefined;
  /** What Triton's model streams; undefined: it is told from the stream. */
  readonly textOutput: 'delta' | 'cumulative' | undefined;
  /** Where Triton serves its metrics, `{host}` for that of the engine; undefined: where it does by default. */
  readonly metricsUrl: string | undefined;
  /** `cpu`, or `cuda:0,1` / `gpu:0`: the devices a replica's process may see. Default `cpu`. */
  readonly device: string;
  /** Ratios of a split over the devices, one each; undefined is equal parts. */
  readonly tensorSplit: readonly number[] | undefined;
  /** Memory of one replica, bytes; 0 is never checked. Undefined: by the model file. */
  readonly memoryBytes: number | undefined;
  /** Whether the replicas are started with the manager, or only by `load`. Default true. */
  readonly startLoaded: boolean;
  /** Processes to run; `external` has one replica per endpoint instead. Default 1. */
  readonly replicas: number;
  /** What the replicas serve. Default `completion`. */
  readonly workloads: readonly Workload[];
  /** Default 1. */
  readonly slots: number;
  /** Context per slot, tokens. */
  readonly ctx: number;
  /** Computing threads of an embedded engine. Default 1. */
  readonly threads: number;
  /** `external`: base URLs of engines that already run. */
  readonly endpoints: readonly string[];
  /** `process`: program and arguments, see `fillCommand` for the placeholders. */
  readonly command: readonly string[];
  /** `process`: variables for the engine beyond the allow-list of `childEnvironment`. */
  readonly env: Readonly<Record<string, string>>;
  /** Address that a spawned engine listens on. Default 127.0.0.1. */
  readonly host: string;
  /** TCP connect, ms. Default 1000. */
  readonly connectMs: number;
  /** One control call (health, props, tokenize, …), ms. Default 5000. */
  readonly controlMs: number;
  /** Until the engine answers a submitted request, ms. Default 60000. */
  readonly headersMs: number;
  /** Between two reads of a stream, ms. Default 60000. */
  readonly bodyMs: number;
  /** From launch until the engine says it is ready, ms. Default 300000. */
  readonly loadMs: number;
  /** For the self-test as a whole, ms. Default 30000. */
  readonly selfTestMs: number;
  /** For the tiny decode that tells a hung engine from a slow one, ms. Default 5000. */
  readonly hungCheckMs: number;
  /** From SIGTERM to SIGKILL when a replica is replaced, ms. Default 2000. */
  readonly killGraceMs: number;
  /** For work that runs on a replica which is replaced or unloaded, ms. Default 60000. */
  readonly retireMs: number;
  readonly probe: ProbePolicy;
  readonly restart: RestartPolicy;
  /** Default `v1`. */
  readonly samplerProfileVersion: string;
}

type MandatoryKey = 'id' | 'engine' | 'launch' | 'modelId' | 'ctx';

export type PoolConfig = Pick<PoolSettings, MandatoryKey> & {
  readonly [K in Exclude<keyof PoolSettings, MandatoryKey | 'probe' | 'restart'>]?:
    PoolSettings[K] | undefined;
} & {
  readonly probe?: Partial<ProbePolicy> | undefined;
  readonly restart?: Partial<RestartPolicy> | undefined;
};

/**
 * Fills in the defaults.
 * @throws RangeError when the settings cannot describe a pool: no model file, command or endpoint for
 *   the way it is launched, or a placeholder in the command that does not exist
 */
export function poolSettings(config: PoolConfig): PoolSettings {
  const replicas =
    config.launch === 'external' ? (config.endpoints ?? []).length : (config.replicas ?? 1);
  const settings: PoolSettings = {
    id: config.id,
    engine: config.engine,
    launch: config.launch,
    modelId: config.modelId,
    modelPath: config.modelPath,
    modelDigest: config.modelDigest,
    servedName: config.servedName,
    apiKey: config.apiKey,
    chatTemplate: config.chatTemplate,
    textOutput: config.textOutput,
    metricsUrl: config.metricsUrl,
    device: config.device ?? 'cpu',
    tensorSplit: config.tensorSplit,
    memoryBytes: config.memoryBytes,
    startLoaded: config.startLoaded ?? true,
    replicas,
    workloads: config.workloads ?? ['completion'],
    slots: config.slots ?? 1,
    ctx: config.ctx,
    threads: config.threads ?? 1,
    endpoints: config.endpoints ?? [],
    command: config.command ?? [],
    env: config.env ?? {},
    host: config.host ?? '127.0.0.1',
    connectMs: config.connectMs ?? 1000,
    controlMs: config.controlMs ?? 5000,
    headersMs: config.headersMs ?? 60_000,
    bodyMs: config.bodyMs ?? 60_000,
    loadMs: config.loadMs ?? 300_000,
    selfTestMs: config.selfTestMs ?? 30_000,
    hungCheckMs: config.hungCheckMs ?? 5000,
    killGraceMs: config.killGraceMs ?? 2000,
    retireMs: config.retireMs ?? 60_000,
    probe: {
      intervalMs: 2000,
      unreadyIntervalMs: 500,
      timeoutMs: 2000,
      unreadyAfter: 2,
      replaceAfter: 4,
      ...config.probe,
    },
    restart: {
      baseMs: 250,
      maxMs: 30_000,
      maxInWindow: 8,
      stormMax: Math.max(16, 4 * replicas),
      windowMs: 60_000,
      stableMs: 60_000,
      driverBaseMs: 5000,
      openAfter: 5,
      coolDownMs: 15_000,
      ...config.restart,
    },
    samplerProfileVersion: config.samplerProfileVersion ?? 'v1',
  };
  requireLaunchable(settings);
  return settings;
}

function requireLaunchable(pool: PoolSettings): void {
  const fault = {
    embedded: pool.modelPath === undefined && 'launch: embedded needs a model path',
    process: pool.command.length === 0 && 'launch: process needs a command',
    external: pool.endpoints.length === 0 && 'launch: external needs endpoints',
  }[pool.launch];
  if (fault !== false) throw new RangeError(`pool ${pool.id}: ${fault}`);
  fillCommand(pool, 0);
}
