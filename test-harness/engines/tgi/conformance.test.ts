import { describe, expect, test } from 'vitest';
import { openTgi } from '@llama-orch/worker-adapters';
import { describeAdapter } from '@llama-orch/worker-adapters/conformance';
import { toAdapterSimulator, type RefusalTable } from '../kit/conformance-subject.ts';
import { startTgiSim } from './sim.ts';

const REFUSALS: RefusalTable = {
  invalid: {
    status: 422,
    type: 'template_error',
    message: quoting('Template error'),
    inStream: `Input validation error: ${quoting('invalid image content')}`,
  },
  overload: { status: 429, type: 'overloaded', message: 'Model is overloaded' },
  internal: {
    status: 424,
    type: 'generation',
    message: quoting('Request failed'),
    inStream: `Request failed during generation: ${quoting('Server error')}`,
  },
  unauthorized: { status: 401, type: '', message: '' },
  'unknown-route': { status: 404, type: '', message: '' },
};

function quoting(what: string): string {
  return `${what}: "the-quick-brown-secret"`;
}

describeAdapter(
  'ORCH-3056 tgi',
  {
    open: openTgi,
    simulator: async (setup) =>
      toAdapterSimulator(await startTgiSim({ queue: 0, ...setup }), REFUSALS, { countsEnd: true }),
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
