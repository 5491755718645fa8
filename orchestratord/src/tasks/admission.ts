/**
 * From a valid request to what the core decides on: ids, seed, token counts. Everything here is derived
 * from the request, so that a retry derives the same.
 */
import { hash } from 'node:crypto';
import type { TaskRequest } from '@llama-orch/contracts';
import type { PlacementConstraints, PromptPrefix, TaskSpec } from '@llama-orch/orchestrator-core';
import { isStrict, type RerunPlace, type TaskRecord } from './live-task.ts';
import { isAnsweredWhole, textsOf } from './whole-answers.ts';

/**
 * The seed of a task that names none: 32 bits of SHA-256 over its id, so that the same task run again
 * gives the same bytes. Any engine takes such a seed as it stands, and any client can send it back.
 */
export function deriveSeed(taskId: string): bigint {
  const digest = hash('sha256', `seed:${taskId}`, 'hex');
  return BigInt(parseInt(digest.slice(0, 8), 16) % 0xffff_ffff);
}

/** A stable task id for an Idempotency-Key: the same key of the same tenant names the same task. */
export function taskIdForKey(tenantId: string, key: string): string {
  const hex = hash('sha256', `task:${tenantId}:${key}`, 'hex');
  // Version 8 (vendor-defined) and variant bits of RFC 9562.
  const variant = ((parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

/**
 * Hash of a request that does not depend on the order of its fields.
 * @param exactSeed the seed, where a number cannot hold it: two such seeds may look alike in the request
 */
export function hashRequest(request: TaskRequest, exactSeed: bigint | undefined): string {
  return hash('sha256', `${exactSeed ?? ''}${canonicalJson(request)}`, 'hex');
}

/** JSON with sorted keys. Depth is bounded by the body parser. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`);
  return `{${fields.join(',')}}`;
}

/** Tokens a chat template may add around each message; generous, for an upper bound. */
const TEMPLATE_TOKENS = 32;
/** Tokens an engine puts around each text that it embeds or ranks. */
const TEXT_TOKENS = 8;

/**
 * An upper bound on the tokens of texts that share a context: a token covers at least one byte of UTF-8 in
 * every vocabulary we serve.
 */
export function boundTextTokens(parts: readonly string[]): number {
  return parts.reduce((sum, part) => sum + Buffer.byteLength(part) + TEXT_TOKENS, 0);
}

/**
 * An upper bound on the tokens of all that a request has an engine read, without asking it: its bytes,
 * plus what a template adds. A ranking reads the query with each document.
 */
export function boundPromptTokens(request: TaskRequest): number {
  if (isAnsweredWhole(request)) {
    return textsOf(request).reduce((sum, { parts }) => sum + boundTextTokens(parts), 0);
  }
  if (request.messages !== undefined) {
    let bytes = TEMPLATE_TOKENS;
    for (const message of request.messages) {
      bytes += Buffer.byteLength(message.content) + TEMPLATE_TOKENS;
    }
    return bytes;
  }
  return Buffer.byteLength(request.prompt ?? '') + TEMPLATE_TOKENS;
}

export interface PromptTokens {
  readonly count: number;
  readonly exact: boolean;
}

export function toTaskSpec(
  record: TaskRecord,
  prompt: PromptTokens,
  prefix: PromptPrefix | undefined,
): TaskSpec {
  const { request, rerunOf } = record;
  return {
    taskId: record.taskId,
    poolId: record.poolId,
    tenantId: record.tenantId,
    priority: request.priority ?? 'interactive',
    sessionId: request.session_id,
    promptTokens: prompt.count,
    promptTokensExact: prompt.exact,
    maxTokens: request.max_tokens,
    expectedTokens: request.expected_tokens,
    ctx: request.ctx,
    deadlineAtMs: record.deadlineAtMs,
    deadlineFor: request.deadline_for === 'first_token' ? 'first-token' : 'end',
    placement: rerunOf === undefined ? toConstraints(request.placement) : toPlace(rerunOf),
    setId: rerunOf?.setId,
    prefix,
    // Nothing of what comes whole was seen before its end.
    ...(isAnsweredWhole(request)
      ? { rerunnable: true, answersWhole: true }
      : { rerunnable: isStrict(record) }),
    kvHint: request.kv_hint ?? 'reuse',
  };
}

function toPlace(place: RerunPlace): PlacementConstraints {
  return 'on' in place ? { on: place.on } : { notOn: place.notOn };
}

function toConstraints(placement: TaskRequest['placement']): PlacementConstraints | undefined {
  if (placement === undefined) return undefined;
  const { labels, devices, anti_affinity: antiAffinity } = placement;
  return { labels, devices, antiAffinity };
}
