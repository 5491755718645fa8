import { describe, expect, test } from 'vitest';
import { openLlamaCpp } from '@llama-orch/worker-adapters';
import { describeAdapter } from '@llama-orch/worker-adapters/conformance';
import type { AdapterSimulator, SimulatorFault } from '@llama-orch/worker-adapters/conformance';
import type { SimFault } from './options.ts';
import { startLlamaCppSim } from './sim.ts';
import { expectedLogprobs, expectedPieces } from './vocabulary.ts';

const REFUSALS: Record<Extract<SimulatorFault, { kind: 'refuse' }>['why'], SimFault> = {
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

describeAdapter(
  'llamacpp',
  {
    open: openLlamaCpp,
    simulator: async (setup): Promise<AdapterSimulator> => {
      const sim = await startLlamaCppSim(setup);
      return {
        url: sim.url,
        fail: (fault) => sim.addFault(fault.kind === 'refuse' ? REFUSALS[fault.why] : fault),
        setLoading: (loading) => sim.setLoading(loading),
        pieces: expectedPieces,
        logprobs: expectedLogprobs,
        stats: () => sim.stats,
        [Symbol.asyncDispose]: () => sim.close(),
      };
    },
  },
  { describe, test, expect },
);
