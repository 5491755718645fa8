/**
 * What the baselines know of each replica's load. With exact signals they read the replica, as the
 * published reference figures were made; otherwise they count what they sent, as a real router does.
 */
import type { Fleet, RouterRequest } from '../policy.ts';
import { CountedLoad } from './counted-load.ts';
import { TrueLoad } from './true-load.ts';

export interface LoadView {
  /** Requests waiting or running there. */
  requests(replica: number): number;
  /** Requests in the engine's waiting line. */
  waiting(replica: number): number;
  /** KV memory promised to running requests, tokens. */
  kvTokens(replica: number): number;
  /** Tokens sent there and not prefilled yet, less expected hits. */
  unstartedTokens(replica: number): number;
  decodes(replica: number): number;
  /** Sum of the decodes' contexts, tokens. */
  decodeContext(replica: number): number;
  /** Until the running step ends, ms. */
  stepLeftMs(replica: number): number;
  /** Tokens of the prompt that the replica's prefix cache holds. */
  hitTokens(request: RouterRequest, replica: number): number;
  /** Whether a request sent there would start with the next step. */
  isOpen(request: RouterRequest, replica: number): boolean;

  sent(request: RouterRequest, replica: number): void;
  firstToken(requestId: number, replica: number): void;
  finished(requestId: number, replica: number, outputTokens: number): void;
}

export function createLoadView(fleet: Fleet): LoadView {
  return fleet.truth === undefined ? new CountedLoad(fleet) : new TrueLoad(fleet, fleet.truth);
}
