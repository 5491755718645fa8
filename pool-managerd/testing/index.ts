export { FakeEngine } from './fake-engine.ts';
export { ROOMY, SILENT } from './fake-pool.ts';
export { settle, VirtualClock } from './virtual-clock.ts';
