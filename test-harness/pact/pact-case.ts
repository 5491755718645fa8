/** One thing that a consumer relies on: an operation, a situation, and the answer to it. */
import { OPERATIONS, type OperationId } from '@llama-orch/contracts';
import { MatchersV3 } from '@pact-foundation/pact';
import {
  contractOf,
  responseExample,
  responseSchema,
  type Json,
  type JsonObject,
} from './contract-examples.ts';
import { templateOf } from './schema-matchers.ts';
import type { Situation } from './situations.ts';
import { transcriptPattern } from './transcript.ts';

export const PROVIDER = 'orchestratord';
export const CONSUMERS = {
  data: 'llama-orch-client',
  control: 'llama-orch-operator',
  pool: 'pool-managerd',
} as const;
export type Consumer = (typeof CONSUMERS)[keyof typeof CONSUMERS];

/** Keys as they stand in the pacts: of nobody's daemon but those that the verification starts. */
export const KEYS = {
  client: keyNamed('client'),
  operator: keyNamed('operator'),
  host: keyNamed('host'),
  hurried: keyNamed('tenant-with-a-rate'),
  reader: keyNamed('reads-tasks'),
  observer: keyNamed('reads-pools'),
  unknown: keyNamed('nobody-knows'),
} as const;
export type KeyName = keyof typeof KEYS;

/** In the form that keys have. */
function keyNamed(name: string): string {
  return `lo_${`pact-${name}-`.padEnd(43, '0')}`;
}

export const POOL_ID = 'default';
export const HOST_ID = 'gpu-a';

export interface CaseRequest {
  readonly method: string;
  /** Values of the path's parameters, in order. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; undefined where there is no body. */
  readonly body?: Json;
  /** Instead of a JSON body. */
  readonly text?: { readonly type: string; readonly text: string };
}

export interface CaseResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, MatchersV3.V3RegexMatcher | string>>;
  /** Template of a JSON body. */
  readonly body?: unknown;
  /** A body that is text: an example, and the pattern that all of it must fit. */
  readonly text?: { readonly type: string; readonly example: string; readonly pattern: string };
}

export interface PactCase {
  readonly consumer: Consumer;
  readonly operationId: OperationId;
  readonly description: string;
  readonly situation: Situation;
  readonly request: CaseRequest;
  readonly response: CaseResponse;
}

export interface CaseInput {
  readonly operationId: OperationId;
  /** As the contract names it. */
  readonly status: string;
  /** Tells it from others of the same operation and status. */
  readonly when: string;
  readonly situation: Situation;
  /** By default one that has the operation's scope; null sends none. */
  readonly key?: KeyName | null;
  readonly path?: readonly string[];
  readonly query?: CaseRequest['query'];
  readonly headers?: CaseRequest['headers'];
  readonly body?: Json;
  readonly text?: CaseRequest['text'];
  /** False leaves it to the daemon to make one. */
  readonly sendsCorrelationId?: boolean;
  /** Name of the contract's example of the answer; by default its first. */
  readonly example?: string;
  /** Put over the example. */
  readonly answer?: JsonObject;
  /** Fields of the example that are not there in this situation. */
  readonly omit?: readonly string[];
  /** JSON pointers to what is fixed, beside what is fixed of every error. */
  readonly exact?: readonly string[];
  /** Headers of the answer beside the usual ones. */
  readonly answerHeaders?: CaseResponse['headers'];
  /** The answer is a stream like this one. */
  readonly transcript?: string;
  /** The answer is other text. */
  readonly answerText?: CaseResponse['text'];
}

const ENVELOPE_EXACT = ['/code', '/retriable', '/policy_label'];
const JSON_TYPE = 'application/json; charset=utf-8';
const ANY_VISIBLE = '^[!-~]{1,128}$';
const WHOLE_SECONDS = '^[1-9][0-9]*$';

/** @throws Error when the contract does not name the status */
export function pactCase(input: CaseInput): PactCase {
  const { operationId, status, when, situation } = input;
  if (!Object.hasOwn(OPERATIONS[operationId].responses, status)) {
    throw new Error(`the contract knows no ${status} of ${operationId}`);
  }
  return {
    consumer: CONSUMERS[consumerContract(operationId)],
    operationId,
    description: `${operationId}: ${when}`,
    situation,
    request: requestOf(input),
    response: responseOf(input),
  };
}

/** Hosts are listed for operators; the rest of that file is between hosts and the daemon. */
function consumerContract(operationId: OperationId): keyof typeof CONSUMERS {
  return operationId === 'listHosts' ? 'control' : contractOf(operationId);
}

function requestOf(input: CaseInput): CaseRequest {
  const { operationId, status, body, text } = input;
  const { method, path } = OPERATIONS[operationId];
  const { key = usualKey(operationId) } = input;
  const correlationId = correlationIdOf(input);
  return {
    // What is not among the contract's statuses is provoked by a method that no path has.
    method: status === 'default' ? 'PATCH' : method,
    path: input.path ?? [...path.matchAll(/\{\w+\}/g)].map(() => usualParameter(path)),
    query: input.query ?? {},
    headers: {
      ...(key === null ? {} : { Authorization: `Bearer ${KEYS[key]}` }),
      ...(correlationId === undefined ? {} : { 'X-Correlation-Id': correlationId }),
      ...input.headers,
    },
    ...(body === undefined ? {} : { body }),
    ...(text === undefined ? {} : { text }),
  };
}

function usualKey(operationId: OperationId): KeyName | null {
  const { scope } = OPERATIONS[operationId];
  if (scope === null) return null;
  if (scope === 'pool:write') return 'host';
  return scope.startsWith('tasks:') ? 'client' : 'operator';
}

/** Ids of tasks and sessions are always given. */
function usualParameter(path: string): string {
  if (path.startsWith('/v1/pools/')) return POOL_ID;
  if (path.startsWith('/v1/hosts/')) return HOST_ID;
  throw new Error(`${path} needs a value for its parameter`);
}

/** What pool-managerd itself sends has none. */
function correlationIdOf(input: CaseInput): string | undefined {
  const { operationId, status, sendsCorrelationId = true } = input;
  return sendsCorrelationId ? `pact-${operationId}-${status}` : undefined;
}

function responseOf(input: CaseInput): CaseResponse {
  const { operationId, status, transcript, answerText, exact = [] } = input;
  const correlationId = input.headers?.['X-Correlation-Id'] ?? correlationIdOf(input);
  const headers = {
    'X-Correlation-Id': correlationId ?? MatchersV3.regex(ANY_VISIBLE, `made-for-${operationId}`),
    ...input.answerHeaders,
  };
  const code = status === 'default' ? 405 : Number(status);
  if (transcript !== undefined) {
    const type = 'text/event-stream; charset=utf-8';
    const text = { type, example: transcript, pattern: transcriptPattern(transcript) };
    return { status: code, headers: { 'Content-Type': type, ...headers }, text };
  }
  if (answerText !== undefined) {
    const { type } = answerText;
    return { status: code, headers: { 'Content-Type': type, ...headers }, text: answerText };
  }
  const schema = responseSchema(operationId, status);
  if (schema === undefined) return { status: code, headers };
  const { omit = [] } = input;
  const example = Object.fromEntries(
    Object.entries({
      ...(responseExample(operationId, status, input.example) as JsonObject),
      ...input.answer,
    }).filter(([name]) => !omit.includes(name)),
  );
  const fixed = new Set([...exact, ...(code >= 400 ? ENVELOPE_EXACT : [])]);
  return {
    status: code,
    headers: { 'Content-Type': JSON_TYPE, ...retryHeaders(code, example), ...headers },
    body: templateOf(schema, example, fixed),
  };
}

function retryHeaders(status: number, example: JsonObject): CaseResponse['headers'] {
  if (status !== 429 && status !== 503) return {};
  const waitMs = Number(example['retry_after_ms']);
  const retryAfter = MatchersV3.regex(WHOLE_SECONDS, String(Math.ceil(waitMs / 1000)));
  if (status === 503) return { 'Retry-After': retryAfter };
  return {
    'Retry-After': retryAfter,
    'X-Backoff-Ms': MatchersV3.regex(WHOLE_SECONDS, String(waitMs)),
  };
}
