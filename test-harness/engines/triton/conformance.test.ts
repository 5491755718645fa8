import { describe, expect, test } from 'vitest';
import { openTriton } from '@llama-orch/worker-adapters';
import { describeAdapter } from '@llama-orch/worker-adapters/conformance';
import type {
  AdapterSimulator,
  EngineTraits,
  SimulatorSetup,
} from '@llama-orch/worker-adapters/conformance';
import { toAdapterSimulator, type RefusalTable } from '../kit/conformance-subject.ts';
import { MODEL, OPERATORS_TEMPLATE } from './models.ts';
import type { Backend } from './models.ts';
import { startTritonSim } from './sim.ts';

const REFUSALS: RefusalTable = {
  invalid: { status: 400, message: 'attempt to access JSON non-boolean as boolean' },
  overload: { status: 503, message: 'Exceeds maximum queue size' },
  internal: {
    status: 500,
    message: 'Error generating request: bad prompt "the-quick-brown-secret"',
  },
  unauthorized: { status: 401, message: 'no key' },
  'unknown-route': { status: 404, message: "Request for unknown model: 'sim' is not found" },
};

/** Where the metrics of the simulator at a URL are. */
const metricsUrls = new Map<string, string>();

const simulator =
  (backend: Backend) =>
  async (setup: SimulatorSetup): Promise<AdapterSimulator> => {
    const sim = await startTritonSim({ ...setup, backend });
    metricsUrls.set(sim.url, sim.metricsUrl);
    return toAdapterSimulator(sim, REFUSALS);
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
    `ORCH-3057 OC-ADAPT-5060 triton with ${backend}`,
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
