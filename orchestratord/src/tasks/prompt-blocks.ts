/**
 * From a request to what the prefix index compares: hashes of the beginnings of its prompt, without
 * a tokenizer. They follow the text that the engine will see, not the bytes it will see: a chat
 * template adds the same words to equal messages, so it cannot make equal beginnings unequal.
 */
import { createHmac } from 'node:crypto';
import type { PromptFormat, TaskRequest } from '@llama-orch/contracts';
import type { PromptPrefix } from '@llama-orch/orchestrator-core';
import { BLOCK_BYTES, hashBoundaries } from './boundary-hasher.ts';

/**
 * Prompts of different scopes never match. A scope names what a cache entry depends on besides the
 * text (pool, model), and the tenant, because tenants must not learn of each other's prompts from how
 * fast their own start.
 * @param secret unknown to who sends prompts: who knew the seeds of two scopes could make prompts of one
 * that count as prompts of the other
 * @returns a 32-bit seed for `promptPrefix`
 */
export function prefixSeed(secret: Uint8Array, scope: readonly string[]): number {
  return createHmac('sha256', secret).update(JSON.stringify(scope)).digest().readInt32BE(0);
}

/**
 * About 1 ms for a megabyte of prompt.
 * @param format how a bare prompt becomes text for the engine; one that `auto` may wrap counts as wrapped
 * @param tokensPerByte of the model's tokenizer on such text, as far as it is known
 * @param reply what the engine answered, after the end: the prefix that a next turn will repeat, which
 * the replica has in its cache already
 */
export function promptPrefix(
  request: Pick<TaskRequest, 'prompt' | 'messages'>,
  format: PromptFormat,
  { seed, tokensPerByte }: { readonly seed: number; readonly tokensPerByte: number },
  reply?: string,
): PromptPrefix {
  const parts = partsOf(request, format, reply);
  return { blockTokens: BLOCK_BYTES * tokensPerByte, hashes: hashBoundaries(parts, seed) };
}

function partsOf(
  { messages, prompt = '' }: Pick<TaskRequest, 'prompt' | 'messages'>,
  format: PromptFormat,
  reply: string | undefined,
): string[] {
  if (messages === undefined && format === 'raw') return [prompt + (reply ?? '')];
  const turns = [...(messages ?? [{ role: 'user', content: prompt }])];
  if (reply !== undefined) turns.push({ role: 'assistant', content: reply });
  return turns.flatMap(({ role, content }) => [role, content]);
}
