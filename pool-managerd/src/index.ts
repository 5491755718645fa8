export { COMMAND_PLACEHOLDERS } from './command-line.ts';
export { createPoolManager } from './pool-manager.ts';
export type { PoolManagerOptions } from './pool-manager.ts';
export type * from './types.ts';
export type { ModelFacts, ReadModelFacts } from './model-digest.ts';
export type { LaunchKind, PoolConfig, ProbePolicy, RestartPolicy } from './pool-config.ts';
export type { Clock, Logger, Random } from './ports.ts';
export type { EngineExit, EngineProcess, EngineSpec, SpawnEngine } from './spawn-engine.ts';
export type { GiveUpReason } from './replica-machine.ts';
