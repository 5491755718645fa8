/** The llama.cpp adapter with its simulator, as the conformance suite wants them. */
import { openLlamaCpp } from '@llama-orch/worker-adapters';
import type {
  AdapterSimulator,
  Refusal,
  SimulatorFault,
  Subject,
} from '@llama-orch/worker-adapters/conformance';
import { renderChat } from '../kit/chat.ts';
import { embeddingOf, rankingOf } from '../kit/pooling.ts';
import type { SimFault } from '../kit/faults.ts';
import { startLlamaCppSim } from './sim.ts';
import { expectedLogprobs, expectedPieces } from '../kit/vocabulary.ts';

const REFUSALS: Record<Refusal, SimFault> = {
  invalid: {
    kind: 'http',
    status: 400,
    type: 'invalid_request_error',
    message: "Field 'temperature': type must be number",
  },
  overload: {
    kind: 'http',
    status: 503,
    type: 'unavailable_error',
    message: 'no slot available',
  },
  internal: {
    kind: 'http',
    status: 500,
    type: 'server_error',
    message: 'parse error; last read: "the-quick-brown-secret"',
  },
  unauthorized: {
    kind: 'http',
    status: 401,
    type: 'authentication_error',
    message: 'Invalid API Key',
  },
  'unknown-route': {
    kind: 'http',
    status: 404,
    type: 'not_found_error',
    message: 'File Not Found',
  },
};

function toSimFault(fault: SimulatorFault): SimFault {
  switch (fault.kind) {
    case 'refuse':
      return REFUSALS[fault.why];
    case 'refuse-in-stream':
      return { kind: 'error-in-stream', after_tokens: 0 };
    default:
      return fault;
  }
}

export const LLAMACPP: Subject = {
  open: openLlamaCpp,
  simulator: async (setup): Promise<AdapterSimulator> => {
    const sim = await startLlamaCppSim(setup);
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
    chat: 'template',
    tellsSlots: true,
    tellsCtx: true,
    tellsLoad: true,
    tellsUsage: true,
    workloads: ['completion', 'embedding', 'rerank'],
    endsByEvent: true,
    severalTokensPerChunk: true,
    queues: true,
    runsUnbounded: true,
    fullContext: 'length',
    refusesInStream: ['internal'],
    savesSlots: true,
  },
};
