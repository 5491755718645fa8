/** Every policy the simulator can be asked for by name. */
import type { NamedPolicy } from '../policy.ts';
import { dynamo, llmdBlend, llmdSticky, sglangCacheAware } from './cache-aware.ts';
import {
  centralFcfs,
  centralShortest,
  edf,
  edfReject,
  interactiveFirst,
  tightShortestReject,
} from './central.ts';
import { sfq, tenantRoundRobin, vtc } from './fair.ts';
import { llamaOrch } from './llama-orch.ts';
import { leastRequests, leastTokens, minTtft, roundRobin } from './push.ts';

export const POLICIES: readonly NamedPolicy[] = [
  llamaOrch,
  roundRobin,
  leastRequests,
  leastTokens,
  sglangCacheAware,
  llmdBlend,
  dynamo,
  llmdSticky,
  minTtft,
  centralFcfs,
  centralShortest,
  edf,
  edfReject,
  tightShortestReject,
  interactiveFirst,
  tenantRoundRobin,
  sfq,
  vtc,
];

export function policyByName(name: string): NamedPolicy | undefined {
  return POLICIES.find((policy) => policy.name === name);
}
