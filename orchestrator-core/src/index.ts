export { createCore } from './core.ts';
export type { Core, CoreOptions, ResumeOptions } from './core.ts';
export type { HoldEstimate, HoldEstimates } from './prediction.ts';
export type { DurableState } from './snapshot.ts';
export type { Tuning } from './tuning.ts';
export { PRIORITIES } from './types.ts';
export type * from './types.ts';
export type { PoolView, SessionView, TaskView } from './views.ts';
