/** Requests for tests, with everything that does not matter filled in. */
import type { TraceRequest } from '../trace.ts';

export function request(overrides: Partial<TraceRequest> = {}): TraceRequest {
  return {
    arrivalMs: 0,
    promptTokens: 1000,
    outputTokens: 10,
    blocks: [],
    tenant: 'default',
    priority: 'interactive',
    ttftSloMs: undefined,
    maxTokens: undefined,
    ...overrides,
  };
}
