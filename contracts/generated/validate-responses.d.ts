// Made by `npm run contracts` from contracts/openapi; not edited by hand.
import type { ErrorObject } from 'ajv';
interface CompiledValidator {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null;
}
export const TaskPage: CompiledValidator;
export const ErrorEnvelope: CompiledValidator;
export const AdmissionResponse: CompiledValidator;
export const BackpressureEnvelope: CompiledValidator;
export const Task: CompiledValidator;
export const TaskExplanation: CompiledValidator;
export const TaskVerification: CompiledValidator;
export const SessionInfo: CompiledValidator;
export const Capabilities: CompiledValidator;
export const ReplicaSetList: CompiledValidator;
export const PoolList: CompiledValidator;
export const PoolHealth: CompiledValidator;
export const DrainStatus: CompiledValidator;
export const PoolChangeStatus: CompiledValidator;
export const EventPage: CompiledValidator;
export const Liveness: CompiledValidator;
export const Readiness: CompiledValidator;
export const HostList: CompiledValidator;
export const HostSyncAnswer: CompiledValidator;
export const StartedEvent: CompiledValidator;
export const TokenEvent: CompiledValidator;
export const MetricsEvent: CompiledValidator;
export const EndEvent: CompiledValidator;
export const ErrorEvent: CompiledValidator;
