/** The llama.cpp adapter with its simulator, as the conformance suite wants them. */
import { openLlamaCpp } from '@llama-orch/worker-adapters';
import type { Subject } from '@llama-orch/worker-adapters/conformance';
import { toAdapterSimulator, type RefusalTable } from '../kit/conformance-subject.ts';
import { startLlamaCppSim } from './sim.ts';

const REFUSALS: RefusalTable = {
  invalid: {
    status: 400,
    type: 'invalid_request_error',
    message: "Field 'temperature': type must be number",
  },
  overload: { status: 503, type: 'unavailable_error', message: 'no slot available' },
  internal: {
    status: 500,
    type: 'server_error',
    message: 'parse error; last read: "the-quick-brown-secret"',
  },
  unauthorized: { status: 401, type: 'authentication_error', message: 'Invalid API Key' },
  'unknown-route': { status: 404, type: 'not_found_error', message: 'File Not Found' },
};

export const LLAMACPP: Subject = {
  open: openLlamaCpp,
  simulator: async (setup) => toAdapterSimulator(await startLlamaCppSim(setup), REFUSALS),
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
