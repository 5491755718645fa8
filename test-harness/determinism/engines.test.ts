/** Two replicas of every kind of engine that runs without a GPU or a build. */
import { EMBEDDED, SIMULATED } from './engines.ts';
import { describeDeterminism } from './suite.ts';

describeDeterminism(
  'ORCH-3045 ORCH-3050 OC-TEST-7001 OC-TEST-7004 OC-TEST-7005 embedded llama.cpp',
  EMBEDDED,
);
for (const engine of SIMULATED) {
  describeDeterminism(`OC-TEST-7001 OC-TEST-7004 OC-TEST-7005 ${engine.name}`, engine);
}
