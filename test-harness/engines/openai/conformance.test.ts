import { describe, expect, test } from 'vitest';
import { openOpenAi } from '@llama-orch/worker-adapters';
import { describeAdapter } from '@llama-orch/worker-adapters/conformance';
import type {
  AdapterSimulator,
  EngineTraits,
  Refusal,
  SimulatorFault,
  SimulatorSetup,
} from '@llama-orch/worker-adapters/conformance';
import { renderChat } from '../kit/chat.ts';
import type { SimFault } from '../kit/faults.ts';
import { embeddingOf, rankingOf } from '../kit/pooling.ts';
import { expectedLogprobs, expectedPieces } from '../kit/vocabulary.ts';
import { SIM_FLAVORS } from './flavors.ts';
import type { SimFlavor } from './flavors.ts';
import { SIM_MODEL } from './parse-request.ts';
import { startOpenAiSim } from './sim.ts';

/** Which status each server has for it, and what it says; the secret is what a message must not quote. */
const refusalOf = (flavor: SimFlavor, why: Refusal): { status: number; message?: string } => {
  switch (why) {
    case 'invalid':
      return { status: 400, message: "Invalid value for 'stop': 'the-quick-brown-secret'" };
    case 'overload':
      return { status: flavor === 'generic' ? 429 : 503, message: 'The request queue is full.' };
    case 'internal':
      return { status: 500, message: 'cannot complete "the-quick-brown-secret"' };
    case 'unauthorized':
      return { status: 401, message: 'Incorrect API key provided' };
    case 'unknown-route':
      return { status: 404 };
  }
};

const toSimFault = (flavor: SimFlavor, fault: SimulatorFault): SimFault => {
  switch (fault.kind) {
    case 'refuse':
      return { kind: 'http', ...refusalOf(flavor, fault.why) };
    case 'refuse-in-stream':
      return { kind: 'error-in-stream', after_tokens: 0, ...refusalOf(flavor, fault.why) };
    default:
      return fault;
  }
};

const startSimulator = async (
  flavor: SimFlavor,
  setup: SimulatorSetup,
): Promise<AdapterSimulator> => {
  const sim = await startOpenAiSim({ ...setup, flavor });
  return {
    url: sim.apiUrl,
    fail: (fault) => sim.addFault(toSimFault(flavor, fault)),
    setLoading: (loading) => sim.setLoading(loading),
    pieces: expectedPieces,
    logprobs: expectedLogprobs,
    render: renderChat,
    embedding: embeddingOf,
    ranking: (query, documents) => rankingOf(query, documents, documents.length),
    stats: () => sim.stats,
    [Symbol.asyncDispose]: () => sim.close(),
  };
};

const GENERIC: EngineTraits = {
  maxLogprobs: 5,
  countsTokens: false,
  chat: 'engine',
  tellsSlots: false,
  tellsCtx: false,
  tellsLoad: false,
  tellsUsage: false,
  workloads: ['completion', 'embedding'],
  endsByEvent: true,
  severalTokensPerChunk: true,
  queues: true,
  runsUnbounded: false,
  fullContext: 'refused',
  refusesInStream: ['internal'],
  savesSlots: false,
  unknownRoute: 'permanent',
};

/** Both run on one machine, load models on demand and let the context end a text. */
const LOCAL: EngineTraits = {
  ...GENERIC,
  maxLogprobs: 0,
  tellsCtx: true,
  tellsUsage: true,
  runsUnbounded: true,
  fullContext: 'length',
};

const TRAITS: Readonly<Record<SimFlavor, EngineTraits>> = {
  generic: GENERIC,
  sglang: {
    ...GENERIC,
    tellsSlots: true,
    tellsCtx: true,
    tellsLoad: true,
    tellsUsage: true,
    workloads: ['completion', 'embedding', 'rerank'],
    refusesInStream: ['internal', 'overload'],
  },
  ollama: { ...LOCAL, cutsPrompts: true },
  // It answers 200 on a route it does not have.
  lmstudio: { ...LOCAL, unknownRoute: 'garbage' },
};

for (const flavor of SIM_FLAVORS) {
  describeAdapter(
    `openai (${flavor})`,
    {
      open: (options) => openOpenAi({ ...options, model: SIM_MODEL }),
      simulator: (setup) => startSimulator(flavor, setup),
      traits: TRAITS[flavor],
    },
    { describe, test, expect },
  );
}
