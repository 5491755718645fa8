import { describe, expect, test } from 'vitest';
import { openVllm } from '@llama-orch/worker-adapters';
import { describeAdapter } from '@llama-orch/worker-adapters/conformance';
import type {
  AdapterSimulator,
  Refusal,
  SimulatorFault,
} from '@llama-orch/worker-adapters/conformance';
import { renderChat } from '../kit/chat.ts';
import type { SimFault } from '../kit/faults.ts';
import { embeddingOf, rankingOf } from '../kit/pooling.ts';
import { expectedLogprobs, expectedPieces } from '../kit/vocabulary.ts';
import { startVllmSim } from './sim.ts';

const REFUSALS: Record<Refusal, { status: number; message?: string }> = {
  invalid: { status: 400, message: "top_p must be in (0, 1], got 'the-quick-brown-secret'" },
  overload: { status: 503, message: 'too many requests are queued' },
  internal: { status: 500, message: "failed on 'the-quick-brown-secret'" },
  unauthorized: { status: 401 },
  'unknown-route': { status: 404 },
};

function toSimFault(fault: SimulatorFault): SimFault {
  switch (fault.kind) {
    case 'refuse':
      return { kind: 'http', ...REFUSALS[fault.why] };
    case 'refuse-in-stream':
      return { kind: 'error-in-stream', after_tokens: 0, ...REFUSALS[fault.why] };
    default:
      return fault;
  }
}

describeAdapter(
  'vllm',
  {
    open: openVllm,
    simulator: async (setup): Promise<AdapterSimulator> => {
      const sim = await startVllmSim(setup);
      return {
        url: sim.url,
        fail: (fault) => sim.addFault(toSimFault(fault)),
        setLoading: (loading) => sim.setLoading(loading),
        pieces: expectedPieces,
        logprobs: expectedLogprobs,
        render: renderChat,
        embedding: embeddingOf,
        ranking: (query, documents) => rankingOf(query, documents, documents.length),
        stats: () => sim.stats,
        [Symbol.asyncDispose]: () => sim.close(),
      };
    },
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
