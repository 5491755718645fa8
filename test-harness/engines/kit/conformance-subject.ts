/** Simulators as the conformance suite wants them. */
import type {
  AdapterSimulator,
  Refusal,
  SimulatorFault,
} from '@llama-orch/worker-adapters/conformance';
import { renderChat } from './chat.ts';
import type { EngineSim } from './engine-sim.ts';
import type { SimFault } from './faults.ts';
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

/** @param url where the adapter is to find the engine's API, if not at the simulator's root */
export function toAdapterSimulator(
  sim: EngineSim,
  refusals: RefusalTable,
  url: string = sim.url,
): AdapterSimulator {
  return {
    url,
    fail: (fault) => sim.addFault(toSimFault(fault, refusals)),
    setLoading: (loading) => sim.setLoading(loading),
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
