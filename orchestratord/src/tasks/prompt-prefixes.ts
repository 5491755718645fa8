/**
 * The prefixes of tasks' prompts, within the scope that a cache entry belongs to. A tenant only ever
 * matches its own prompts: how fast a task starts must not tell what others have asked.
 */
import type { TaskRequest } from '@llama-orch/contracts';
import type { PromptPrefix } from '@llama-orch/orchestrator-core';
import { BLOCK_BYTES } from './boundary-hasher.ts';
import type { TaskRecord } from './live-task.ts';
import { prefixSeed, promptPrefix } from './prompt-blocks.ts';
import { isAnsweredWhole } from './whole-answers.ts';

/** Seeds kept; beyond it they are made anew. */
const MAX_SEEDS = 10_000;

type Scoped = Pick<TaskRecord, 'poolId' | 'tenantId' | 'modelId' | 'request' | 'promptFormat'>;

export class PromptPrefixes {
  readonly #secret: Uint8Array;
  readonly #tokensPerByte: (poolId: string) => number;
  readonly #seeds = new Map<string, number>();

  /**
   * @param secret of the installation, see `prefix-secret.ts`
   * @param tokensPerByte of the pool's tokenizer, as far as it is known
   */
  constructor(secret: Uint8Array, tokensPerByte: (poolId: string) => number) {
    this.#secret = secret;
    this.#tokensPerByte = tokensPerByte;
  }

  /** Undefined for a prompt too short to be told apart from others, and where no cache is kept of it. */
  of(task: Scoped): PromptPrefix | undefined {
    if (isAnsweredWhole(task.request)) return undefined;
    return bytesOf(task.request) < BLOCK_BYTES ? undefined : this.#hash(task, undefined);
  }

  /** What a next turn of the conversation will begin with. Undefined where no turn can follow. */
  withReply(task: Scoped, reply: string): PromptPrefix | undefined {
    return task.request.messages === undefined ? undefined : this.#hash(task, reply);
  }

  #hash(task: Scoped, reply: string | undefined): PromptPrefix | undefined {
    const { request, promptFormat, poolId } = task;
    const tokensPerByte = this.#tokensPerByte(poolId);
    const scale = { seed: this.#seedOf(task), tokensPerByte };
    const prefix = promptPrefix(request, promptFormat, scale, reply);
    return prefix.hashes.length === 0 ? undefined : prefix;
  }

  #seedOf({ poolId, modelId, tenantId }: Scoped): number {
    const scope = [poolId, modelId, tenantId];
    const key = scope.join('\n');
    let seed = this.#seeds.get(key);
    if (seed === undefined) {
      if (this.#seeds.size >= MAX_SEEDS) this.#seeds.clear();
      seed = prefixSeed(this.#secret, scope);
      this.#seeds.set(key, seed);
    }
    return seed;
  }
}

/** At least a block of it is needed; a byte is at least a third of a UTF-16 unit. */
function bytesOf({ prompt = '', messages }: TaskRequest): number {
  if (messages === undefined) return 3 * prompt.length;
  let units = 0;
  for (const { content } of messages) units += content.length + 16;
  return 3 * units;
}
