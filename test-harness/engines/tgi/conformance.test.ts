import { describe, expect, test } from 'vitest';
import { openTgi } from '@llama-orch/worker-adapters';
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
import { startTgiSim } from './sim.ts';

const REFUSALS: Record<Refusal, SimFault> = {
  invalid: {
    kind: 'http',
    status: 422,
    type: 'template_error',
    message: quoting('Template error'),
  },
  overload: { kind: 'http', status: 429, type: 'overloaded', message: 'Model is overloaded' },
  internal: { kind: 'http', status: 424, type: 'generation', message: quoting('Request failed') },
  unauthorized: { kind: 'http', status: 401, type: '', message: '' },
  'unknown-route': { kind: 'http', status: 404, type: '', message: '' },
};

/** What the router says of each in the stream. */
const IN_STREAM: Partial<Record<Refusal, string>> = {
  invalid: `Input validation error: ${quoting('invalid image content')}`,
  overload: 'Model is overloaded',
  internal: `Request failed during generation: ${quoting('Server error')}`,
};

function quoting(what: string): string {
  return `${what}: "the-quick-brown-secret"`;
}

function toSimFault(fault: SimulatorFault): SimFault {
  switch (fault.kind) {
    case 'refuse':
      return REFUSALS[fault.why];
    case 'refuse-in-stream':
      return { kind: 'error-in-stream', after_tokens: 0, message: IN_STREAM[fault.why] ?? '' };
    default:
      return fault;
  }
}

describeAdapter(
  'tgi',
  {
    open: openTgi,
    simulator: async (setup): Promise<AdapterSimulator> => {
      const sim = await startTgiSim({ queue: 0, ...setup });
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
      maxLogprobs: 0,
      countsTokens: true,
      chat: 'engine',
      tellsSlots: true,
      tellsCtx: true,
      tellsLoad: 'once-used',
      tellsUsage: true,
      workloads: ['completion'],
      endsByEvent: true,
      severalTokensPerChunk: false,
      queues: false,
      runsUnbounded: true,
      fullContext: 'refused',
      refusesInStream: ['invalid', 'overload', 'internal'],
      savesSlots: false,
    },
  },
  { describe, test, expect },
);
