/** The contract's arbitraries, with what this daemon knows put among the values. */
import { CONTRACT_FILES, type OperationId } from '@llama-orch/contracts';
import {
  readContract,
  requestsOf,
  type Contract,
  type RequestArbitraries,
  type RequestCase,
  type Sent,
} from '@llama-orch/contracts/testing';
import fc from 'fast-check';
import { CTX, HOST_IDS, POOLS, SESSION_IDS, TASK_IDS } from './target.ts';

export async function readContracts(): Promise<readonly Contract[]> {
  return Promise.all(Object.values(CONTRACT_FILES).map(readContract));
}

export function generatorsOf(contracts: readonly Contract[]): readonly RequestArbitraries[] {
  return requestsOf(contracts, knownValues).map((generator) => {
    const likelier = LIKELIER[generator.operationId];
    if (likelier === undefined) return generator;
    return { ...generator, valid: fc.oneof(generator.valid, generator.valid.map(likelier)) };
  });
}

/** Half of what the schema allows is made such that this daemon can serve it. */
const LIKELIER: Partial<Record<OperationId, (request: RequestCase) => RequestCase>> = {
  createTask: withinMeans,
  syncHost: ofThisHost,
  reloadPool: ofKnownModel,
  canaryPool: ofKnownModel,
};

const SESSIONS: readonly OperationId[] = ['getSession', 'deleteSession'];

function knownValues(
  operationId: OperationId,
  parameter: string,
): fc.Arbitrary<string> | undefined {
  if (parameter === 'X-Correlation-Id') return fc.stringMatching(/^[!-~]{1,128}$/);
  if (parameter === 'session_id') return fc.constantFrom(...SESSION_IDS);
  if (parameter === 'host_id') return fc.constantFrom(...HOST_IDS);
  if (parameter === 'cursor') return fc.nat({ max: 200 }).map(cursorAt);
  if (parameter === 'after' || parameter === 'Last-Event-ID')
    return fc.nat({ max: 12 }).map(String);
  if (parameter !== 'id') return undefined;
  if (operationId.endsWith('Pool') || operationId === 'getPoolHealth') {
    return fc.constantFrom(POOLS.spare, POOLS.spare, POOLS.remote);
  }
  return fc.constantFrom(...(SESSIONS.includes(operationId) ? SESSION_IDS : TASK_IDS));
}

/** As the daemon writes them: `t` and a number. Clients are not to know. */
export function cursorAt(n: number): string {
  return Buffer.from(`t${n}`).toString('base64url');
}

/** Most tasks that the schema allows ask for another model, engine, context or device than there is. */
function withinMeans(request: RequestCase): RequestCase {
  const body = { ...(request.body as Record<string, Sent>) };
  for (const field of ['model_ref', 'engine', 'determinism', 'deadline_ms', 'task_id']) {
    delete body[field];
  }
  if (typeof body['ctx'] === 'number') body['ctx'] = Math.min(body['ctx'], CTX);
  if (typeof body['max_tokens'] === 'number') body['max_tokens'] = 1 + (body['max_tokens'] % 8);
  if (typeof body['session_id'] === 'string') {
    body['session_id'] = SESSION_IDS[body['session_id'].charCodeAt(0) % SESSION_IDS.length] ?? '';
  }
  if (typeof body['placement'] === 'object') body['placement'] = { anti_affinity: 'apart' };
  const { 'Idempotency-Key': _key, ...headers } = request.headers;
  return { ...request, headers, body };
}

/** Most syncs that the schema allows come from the future, or tell of pools that nobody has. */
function ofThisHost(request: RequestCase): RequestCase {
  const sync = request.body as Record<string, Sent>;
  const { host_id: host = '' } = request.path;
  const body = { ...sync, api_version: '1.0.0', replicas: [], pools: [], leases: [], events: [] };
  return { ...request, path: { host_id: host }, body };
}

function ofKnownModel(request: RequestCase): RequestCase {
  const body = { ...(request.body as Record<string, Sent>), new_model_ref: 'spare' };
  return { ...request, body };
}
