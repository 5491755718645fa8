import { describe, expect, test } from 'vitest';
import { openVllm } from '@llama-orch/worker-adapters';
import { describeAdapter } from '@llama-orch/worker-adapters/conformance';
import { toAdapterSimulator, type RefusalTable } from '../kit/conformance-subject.ts';
import { startVllmSim } from './sim.ts';

const REFUSALS: RefusalTable = {
  invalid: { status: 400, message: "top_p must be in (0, 1], got 'the-quick-brown-secret'" },
  overload: { status: 503, message: 'too many requests are queued' },
  internal: { status: 500, message: "failed on 'the-quick-brown-secret'" },
  unauthorized: { status: 401 },
  'unknown-route': { status: 404 },
};

describeAdapter(
  'ORCH-3055 vllm',
  {
    open: openVllm,
    simulator: async (setup) => toAdapterSimulator(await startVllmSim(setup), REFUSALS),
    traits: {
      maxLogprobs: 20,
      countsTokens: true,
      chat: 'engine',
      tellsSlots: false,
      tellsCtx: true,
      tellsLoad: true,
      tellsUsage: true,
      workloads: ['completion', 'embedding', 'rerank'],
      endsByEvent: true,
      severalTokensPerChunk: true,
      queues: true,
      runsUnbounded: true,
      fullContext: 'refused',
      refusesInStream: ['invalid', 'overload', 'internal'],
      savesSlots: false,
    },
  },
  { describe, test, expect },
);
