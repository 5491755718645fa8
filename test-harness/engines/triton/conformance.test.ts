import { describe, expect, test } from 'vitest';
import { openTriton } from '@llama-orch/worker-adapters';
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
import { expectedPieces } from '../kit/vocabulary.ts';
import { MODEL, OPERATORS_TEMPLATE } from './models.ts';
import type { Backend } from './models.ts';
import { startTritonSim } from './sim.ts';

const MESSAGES: Record<Refusal, string> = {
  invalid: 'attempt to access JSON non-boolean as boolean',
  overload: 'Exceeds maximum queue size',
  internal: 'Error generating request: bad prompt "the-quick-brown-secret"',
  unauthorized: 'no key',
  'unknown-route': "Request for unknown model: 'sim' is not found",
};
const STATUSES: Record<Refusal, number> = {
  invalid: 400,
  overload: 503,
  internal: 500,
  unauthorized: 401,
  'unknown-route': 404,
};

function toSimFault(fault: SimulatorFault): SimFault {
  switch (fault.kind) {
    case 'refuse':
      return { kind: 'http', status: STATUSES[fault.why], message: MESSAGES[fault.why] };
    case 'refuse-in-stream':
      return { kind: 'error-in-stream', after_tokens: 0, message: MESSAGES[fault.why] };
    default:
      return fault;
  }
}

/** Where the metrics of the simulator at a URL are. */
const metricsUrls = new Map<string, string>();

const simulator =
  (backend: Backend) =>
  async (setup: SimulatorSetup): Promise<AdapterSimulator> => {
    const sim = await startTritonSim({ ...setup, backend });
    metricsUrls.set(sim.url, sim.metricsUrl);
    return {
      url: sim.url,
      fail: (fault) => sim.addFault(toSimFault(fault)),
      setLoading: (loading) => sim.setLoading(loading),
      pieces: expectedPieces,
      logprobs: () => [],
      render: renderChat,
      embedding: () => [],
      ranking: () => [],
      stats: () => sim.stats,
      [Symbol.asyncDispose]: () => sim.close(),
    };
  };

const COMMON = {
  maxLogprobs: 0,
  countsTokens: false,
  tellsSlots: false,
  tellsCtx: false,
  workloads: ['completion'],
  severalTokensPerChunk: true,
  queues: true,
  refusesInStream: ['overload', 'internal'],
  savesSlots: false,
} as const;

const TRAITS: Record<Backend, EngineTraits> = {
  trtllm: {
    ...COMMON,
    chat: 'none',
    tellsLoad: true,
    tellsUsage: true,
    endsByEvent: false,
    runsUnbounded: false,
    fullContext: 'stop',
  },
  llmapi: {
    ...COMMON,
    chat: 'template',
    tellsLoad: false,
    tellsUsage: false,
    endsByEvent: true,
    runsUnbounded: false,
    fullContext: 'length',
    repeatsText: true,
  },
  vllm: {
    ...COMMON,
    chat: 'template',
    tellsLoad: true,
    tellsUsage: true,
    endsByEvent: true,
    runsUnbounded: true,
    fullContext: 'length',
  },
};

for (const [backend, traits] of Object.entries(TRAITS) as [Backend, EngineTraits][]) {
  describeAdapter(
    `OC-ADAPT-5060 triton with ${backend}`,
    {
      open: (options) =>
        openTriton({
          ...options,
          model: MODEL,
          metricsUrl: metricsUrls.get(options.url),
          chatTemplate: traits.chat === 'template' ? OPERATORS_TEMPLATE : undefined,
        }),
      simulator: simulator(backend),
      traits,
    },
    { describe, test, expect },
  );
}
