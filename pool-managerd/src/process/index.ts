/** What our daemons are made of as processes: configuration in layers, log, clock, last words. */
export { ConfigLayers } from './config-layers.ts';
export type { LayersInput } from './config-layers.ts';
export { MAX_CONFIG_BYTES } from './config-file.ts';
export { readEngineInputs } from './engine-inputs.ts';
export type { EngineInputs, EngineInputsByPool } from './engine-inputs.ts';
export { explainFailure } from './explain-failure.ts';
export { parseFlags } from './flags.ts';
export { createLogger } from './logging.ts';
export type { LogSinkHandle } from './logging.ts';
export { digestOf, toPoolConfig } from './launched-pool.ts';
export { modelCatalog, toModelTarget } from './model-catalog.ts';
export { checkDevices, checkLaunch, checkUnique, deviceOf } from './pool-checks.ts';
export type { Program } from './program.ts';
export { createSystemClock } from './system-clock.ts';
