/** The contract's shapes by name, as the rest of the house imports them. */
import type { components as ConfigComponents } from '../generated/config.ts';
import type {
  components as ControlComponents,
  operations as ControlOperations,
} from '../generated/control.ts';
import type {
  components as DataComponents,
  operations as DataOperations,
} from '../generated/data.ts';
import type {
  components as PoolComponents,
  operations as PoolOperations,
} from '../generated/pool.ts';

type Data = DataComponents['schemas'];
type Control = ControlComponents['schemas'];
type PoolApi = PoolComponents['schemas'];
type Configuration = ConfigComponents['schemas'];

export type ChatMessage = Data['ChatMessage'];
export type TaskRequest = Data['TaskRequest'];
export type Placement = Data['Placement'];
export type PromptFormat = Data['PromptFormat'];
export type Workload = Data['Workload'];
export type Priority = Data['Priority'];
export type Determinism = Data['Determinism'];
export type TaskState = Data['TaskState'];
export type FinishReason = Data['FinishReason'];
export type AdmissionResponse = Data['AdmissionResponse'];
export type Task = Data['Task'];
export type TaskUsage = Data['Usage'];
export type TaskResult = Data['TaskResult'];
export type TaskReplica = Data['TaskReplica'];
export type TaskProof = Data['TaskProof'];
export type TaskPage = Data['TaskPage'];
export type TaskExplanation = Data['TaskExplanation'];
export type TaskVerification = Data['TaskVerification'];
export type ExplanationEntry = Data['ExplanationEntry'];
export type ExplainedWentFirst = Data['WentFirst'][number];
export type ExplainedReplica = Data['ReplicaVerdicts'][number];
export type SessionInfo = Data['SessionInfo'];
export type ErrorEnvelope = Data['ErrorEnvelope'];

export type StartedEvent = Data['StartedEvent'];
export type TokenEvent = Data['TokenEvent'];
export type MetricsEvent = Data['MetricsEvent'];
export type EndEvent = Data['EndEvent'];
export type ErrorEvent = Data['ErrorEvent'];
/** The events of a task's stream by their SSE name. */
export interface TaskEvents {
  readonly started: StartedEvent;
  readonly token: TokenEvent;
  readonly metrics: MetricsEvent;
  readonly end: EndEvent;
  readonly error: ErrorEvent;
}

export type Capabilities = Control['Capabilities'];
export type EngineCapabilities = Control['EngineCapabilities'];
export type PromisedDeterminism = Control['PromisedDeterminism'];
export type Pool = Control['Pool'];
export type PoolList = Control['PoolList'];
export type PoolHealthView = Control['PoolHealth'];
export type ReplicaDeterminism = Control['ReplicaDeterminism'];
export type PoolMetrics = Control['PoolMetrics'];
export type PoolLearning = Control['PoolLearning'];
export type Replica = Control['Replica'];
export type ReplicaSet = Control['ReplicaSet'];
export type ReplicaSetList = Control['ReplicaSetList'];
export type SloSnapshot = Control['SloSnapshot'];
export type ClassSlo = Control['ClassSlo'];
export type DrainRequest = Control['DrainRequest'];
export type DrainStatus = Control['DrainStatus'];
export type ReloadRequest = Control['ReloadRequest'];
export type CanaryRequest = Control['CanaryRequest'];
export type PoolChangeView = Control['PoolChange'];
export type PoolChangeStatus = Control['PoolChangeStatus'];
export type LedgerEventView = Control['Event'];
export type EventPage = Control['EventPage'];
export type Liveness = Control['Liveness'];
export type Readiness = Control['Readiness'];

export type HostSync = PoolApi['HostSync'];
export type HostInstance = PoolApi['HostInstance'];
export type HostReplica = PoolApi['HostReplica'];
export type HostChat = PoolApi['HostChat'];
export type HostLease = PoolApi['HostLease'];
export type HostEvent = PoolApi['HostEvent'];
export type HostSyncAnswer = PoolApi['HostSyncAnswer'];
export type HostCommand = PoolApi['HostCommand'];
export type HostPool = PoolApi['HostPool'];
export type ModelWish = PoolApi['ModelWish'];
export type WantedModel = PoolApi['WantedModel'];
export type HostView = PoolApi['Host'];

/** Query parameters after parsing: those with a default are always there. */
export type CreateTaskQuery = Defaulted<
  DataOperations['createTask']['parameters'],
  'cancel_on_disconnect'
>;
export type StreamTaskQuery = Defaulted<DataOperations['streamTask']['parameters'], never>;
export type ListTasksQuery = Defaulted<DataOperations['listTasks']['parameters'], 'limit'>;
export type ListEventsQuery = Defaulted<
  ControlOperations['listEvents']['parameters'],
  'after' | 'limit' | 'stream'
>;
export type RemoveHostQuery = Defaulted<PoolOperations['removeHost']['parameters'], 'instance_id'>;
type Defaulted<P extends { readonly query?: unknown }, K extends string> = Omit<
  NonNullable<P['query']>,
  K
> &
  Required<Pick<NonNullable<P['query']>, K & keyof NonNullable<P['query']>>>;

/** A configuration with every default filled in; names as in llama-orch.yaml. */
export type Config = Configuration['Config'];
export type AuditConfig = Configuration['AuditConfig'];
export type AuthConfig = Configuration['AuthConfig'];
export type KeyConfig = Configuration['KeyConfig'];
export type TenantConfig = Configuration['TenantConfig'];
export type SchedulingConfig = Configuration['SchedulingConfig'];
export type ServerConfig = Configuration['ServerConfig'];
export type SessionsConfig = Configuration['SessionsConfig'];
export type LogConfig = Configuration['LogConfig'];
export type RetentionConfig = Configuration['RetentionConfig'];
export type PoolConfig = Configuration['PoolConfig'];
export type ModelConfig = Configuration['ModelConfig'];
export type QueueConfig = Configuration['QueueConfig'];
export type TimeoutsConfig = Configuration['TimeoutsConfig'];
export type RestartConfig = Configuration['RestartConfig'];

/** The configuration of pool-managerd on a host, with every default filled in. */
export type HostConfig = Configuration['HostConfig'];
export type HostPoolConfig = Configuration['HostPoolConfig'];
export type ModelEntry = Configuration['ModelEntry'];
