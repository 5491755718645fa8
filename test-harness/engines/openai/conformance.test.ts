import { describe, expect, test } from 'vitest';
import { openOpenAi } from '@llama-orch/worker-adapters';
import { describeAdapter } from '@llama-orch/worker-adapters/conformance';
import type { EngineTraits } from '@llama-orch/worker-adapters/conformance';
import { toAdapterSimulator, type RefusalTable } from '../kit/conformance-subject.ts';
import { SIM_FLAVORS } from './flavors.ts';
import type { SimFlavor } from './flavors.ts';
import { SIM_MODEL } from './parse-request.ts';
import { startOpenAiSim } from './sim.ts';

/** Which status each server has for it, and what it says; the secret is what a message must not quote. */
const refusalsOf = (flavor: SimFlavor): RefusalTable => ({
  invalid: { status: 400, message: "Invalid value for 'stop': 'the-quick-brown-secret'" },
  overload: { status: flavor === 'generic' ? 429 : 503, message: 'The request queue is full.' },
  internal: { status: 500, message: 'cannot complete "the-quick-brown-secret"' },
  unauthorized: { status: 401, message: 'Incorrect API key provided' },
  'unknown-route': { status: 404 },
});

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
      simulator: async (setup) => {
        const sim = await startOpenAiSim({ ...setup, flavor });
        return toAdapterSimulator(sim, refusalsOf(flavor), { url: sim.apiUrl });
      },
      traits: TRAITS[flavor],
    },
    { describe, test, expect },
  );
}
