/**
 * What a request that the schema allows may be refused for all the same: rules that no schema can say,
 * each with its code and the place that it names. What is not listed here must be served.
 */
import type { ErrorEnvelope, ErrorKind, HostSync, TaskRequest } from '@llama-orch/contracts';
import { API_VERSION } from '@llama-orch/contracts';
import { toJsonText, type RequestCase } from '@llama-orch/contracts/testing';
import { HOST_IDS, MODELS, POOLS, type Target } from './target.ts';

/** A refusal by code, and by its first detail where it has to name a place. */
export interface Refusal {
  readonly code: ErrorKind;
  readonly path?: string | RegExp;
}

export interface Expected {
  /** It must come; of several the first that applies. Undefined: the request may be served. */
  readonly must?: Refusal;
  /** These may come instead, as it depends on what other requests did, or on the clock. */
  readonly may: readonly Refusal[];
}

const NOT_FOUND: Refusal = { code: 'NOT_FOUND' };
const CONFLICT: Refusal = { code: 'CONFLICT' };

/** What may become of a valid request. */
export function expectedOf(request: RequestCase, target: Target): Expected {
  const { operationId, path } = request;
  switch (operationId) {
    case 'createTask':
      return ofTask(request, target);
    case 'syncHost':
      return ofSync(request);
    case 'listTasks':
      // A cursor is a text of any kind to the schema, and a place in the list to the daemon.
      return { may: [{ code: 'INVALID_PARAMS', path: 'cursor' }] };
    case 'getTask':
    case 'streamTask':
    case 'explainTask':
    case 'cancelTask':
    case 'getSession':
    case 'deleteSession':
      return { may: [NOT_FOUND] };
    case 'verifyTask':
      return { may: [NOT_FOUND, CONFLICT] };
    case 'getPoolHealth':
    case 'drainPool':
    case 'undrainPool':
      return ofPool(path['id'], []);
    case 'promotePool':
    case 'rollbackPool':
      return ofPool(path['id'], [CONFLICT]);
    case 'reloadPool':
      return ofPool(path['id'], [CONFLICT, { code: 'INVALID_PARAMS', path: '/new_model_ref' }]);
    case 'canaryPool':
      return ofPool(path['id'], [
        CONFLICT,
        { code: 'INVALID_PARAMS', path: /^\/(new_model_ref|replicas)$/ },
      ]);
    case 'getReadiness':
      // The pool on hosts has none.
      return { may: [{ code: 'POOL_UNREADY' }] };
    default:
      return { may: [] };
  }
}

function ofPool(id: string | undefined, may: readonly Refusal[]): Expected {
  const isKnown = Object.values<string | undefined>(POOLS).includes(id);
  return isKnown ? { may } : { must: NOT_FOUND, may: [] };
}

/** In the order of OC-CTRL-2010: a pool that serves it, its context, its placement, its deadline. */
function ofTask({ body, headers }: RequestCase, { ctx, takesStrict }: Target): Expected {
  const task = body as unknown as TaskRequest;
  const isNamed = task.task_id !== undefined || headers['Idempotency-Key'] !== undefined;
  // Another generated request may have had the same id or key, and asked for something else.
  const may: readonly Refusal[] = isNamed ? [CONFLICT] : [];
  const { model_ref: model, workload = 'completion', engine } = task;
  if (model !== undefined && !MODELS.includes(model)) {
    return { must: { code: 'NOT_FOUND', path: '/model_ref' }, may };
  }
  if (engine !== undefined && engine !== 'llamacpp') {
    return { must: { code: 'NOT_FOUND', path: '/engine' }, may };
  }
  if (model !== undefined) return { may: [...may, { code: 'INVALID_PARAMS', path: '/workload' }] };
  const isWhole = workload !== 'completion';
  if (task.determinism === 'strict' && !takesStrict(isWhole ? POOLS.whole : POOLS.completion)) {
    return { must: { code: 'INVALID_PARAMS', path: '/determinism' }, may };
  }
  if (task.ctx !== undefined && task.ctx > ctx) {
    return { must: { code: 'INVALID_PARAMS', path: '/ctx' }, may };
  }
  if (!isWhole && (task.max_tokens ?? 1) >= ctx) {
    return { must: { code: 'INVALID_PARAMS', path: /^\/(max_tokens|prompt|messages)$/ }, may };
  }
  const long: Refusal = {
    code: 'INVALID_PARAMS',
    path: /^\/(max_tokens|prompt|messages|inputs|documents)(\/\d+)?$/,
  };
  // An upper bound: one token for each byte, and what a template puts around a message.
  const bytes = Buffer.byteLength(toJsonText(body ?? null)) + 64 * (task.messages?.length ?? 1);
  const maybe = bytes + (task.max_tokens ?? 1) > ctx ? [...may, long] : may;
  const { devices, labels = {} } = task.placement ?? {};
  if (devices !== undefined || Object.keys(labels).length > 0) {
    return {
      must: { code: 'INVALID_PARAMS', path: /^\/placement\/(devices|labels)$/ },
      may: maybe,
    };
  }
  if (task.deadline_ms === undefined) return { may: maybe };
  return { may: [...maybe, { code: 'DEADLINE_UNMET', path: '/deadline_ms' }] };
}

function ofSync({ body, path }: RequestCase): Expected {
  const sync = body as unknown as HostSync;
  if (sync.api_version.split('.')[0] !== API_VERSION.split('.')[0]) {
    return { must: CONFLICT, may: [] };
  }
  if (!URL.canParse(sync.gateway_url)) {
    return { must: { code: 'INVALID_PARAMS', path: '/gateway_url' }, may: [] };
  }
  const pools = [...sync.replicas, ...(sync.pools ?? [])].map(({ pool_id: id }) => id);
  if (pools.some((id) => id !== POOLS.remote)) return { must: NOT_FOUND, may: [] };
  const isKnownHost = HOST_IDS.some((id) => id === path['host_id']);
  const may: readonly Refusal[] = [
    { code: 'INVALID_PARAMS', path: /^\/replicas\/\d+\/replica_id$/ },
  ];
  // The next instance of a host is taken for an impostor while the one before it may live.
  return {
    may: isKnownHost ? [...may, CONFLICT] : [...may, CONFLICT, { code: 'REPLICA_EXHAUSTED' }],
  };
}

export function isRefusal(
  { code, details }: ErrorEnvelope,
  { code: expected, path }: Refusal,
): boolean {
  if (code !== expected) return false;
  const named = details?.[0]?.path;
  if (path === undefined) return true;
  return typeof path === 'string' ? named === path : named !== undefined && path.test(named);
}
