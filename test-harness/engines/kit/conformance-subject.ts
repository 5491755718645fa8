/** Simulators as the conformance suite wants them. */
import type {
  AdapterSimulator,
  Refusal,
  SimulatorFault,
} from '@llama-orch/worker-adapters/conformance';
import { renderChat } from './chat.ts';
import type { EngineSim } from './engine-sim.ts';
import type { SimFault } from './faults.ts';
import { planGeneration } from './generation.ts';
import { embeddingOf, rankingOf } from './pooling.ts';
import { expectedLogprobs, expectedPieces } from './vocabulary.ts';

/** How a protocol puts a refusal: what is left out, its simulator fills in. */
export interface RefusalWords {
  readonly status: number;
  readonly type?: string;
  readonly message?: string;
  /** What it says instead when it tells the failure in the stream. */
  readonly inStream?: string;
}

/** Every way to be refused, in the words of one protocol. */
export type RefusalTable = Readonly<Record<Refusal, RefusalWords>>;

export interface SimulatorTraits {
  /** Where the adapter is to find the engine's API, if not at the simulator's root. */
  readonly url?: string;
  /** The end of the model is the last of the tokens it counts, and has no text. */
  readonly countsEnd?: boolean;
}

export function toAdapterSimulator(
  sim: EngineSim,
  refusals: RefusalTable,
  { url = sim.url, countsEnd = false }: SimulatorTraits = {},
): AdapterSimulator {
  return {
    url,
    fail: (fault) => sim.addFault(toSimFault(fault, refusals)),
    setLoading: (loading) => sim.setLoading(loading),
    shape: (request) => request,
    answer: ({ prompt, seed, maxTokens = Infinity, sampling: { stop } }) => {
      const { ctx, tokens } = sim.options;
      const { count, stopType } = planGeneration({ prompt, seed, maxTokens, stop }, ctx, tokens);
      const withText = countsEnd && stopType === 'eos' ? count - 1 : count;
      return {
        text: expectedPieces(prompt, seed, withText).join(''),
        tokensOut: count,
        finishReason: stopType === 'limit' ? 'length' : 'stop',
      };
    },
    pieces: expectedPieces,
    logprobs: expectedLogprobs,
    render: renderChat,
    embedding: embeddingOf,
    ranking: (query, documents) => rankingOf(query, documents, documents.length),
    stats: () => sim.stats,
    [Symbol.asyncDispose]: () => sim.close(),
  };
}

function toSimFault(fault: SimulatorFault, refusals: RefusalTable): SimFault {
  switch (fault.kind) {
    case 'refuse': {
      const { inStream: _inStream, ...words } = refusals[fault.why];
      return { kind: 'http', ...words, ...(fault.headers && { headers: fault.headers }) };
    }
    case 'refuse-in-stream': {
      const { status, message, inStream = message } = refusals[fault.why];
      const said = inStream === undefined ? {} : { message: inStream };
      return { kind: 'error-in-stream', after_tokens: 0, status, ...said };
    }
    default:
      return fault;
  }
}
