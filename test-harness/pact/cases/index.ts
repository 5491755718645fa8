/** Everything that consumers rely on. */
import type { PactCase } from '../pact-case.ts';
import { admissionRefusalCases } from './admission-refusals.ts';
import { hostCases } from './hosts.ts';
import { operationsCases } from './operations.ts';
import { poolCases } from './pools.ts';
import {
  failureCases,
  largeBodyCases,
  mediaTypeCases,
  missingScopeCases,
  otherMethodCases,
  unknownKeyCases,
} from './refusals.ts';
import { sessionCases } from './sessions.ts';
import { streamCases } from './streams.ts';
import { taskCases } from './tasks.ts';

export const PACT_CASES: readonly PactCase[] = [
  ...taskCases,
  ...admissionRefusalCases,
  ...streamCases,
  ...sessionCases,
  ...poolCases,
  ...operationsCases,
  ...hostCases,
  ...unknownKeyCases,
  ...missingScopeCases,
  ...otherMethodCases,
  ...mediaTypeCases,
  ...largeBodyCases,
  ...failureCases,
];
