/** Recorded tasks as a trace: the same arrivals, lengths, tenants, classes, deadlines and prefixes. */
import { blocksUpTo, type PromptPrefix } from '@llama-orch/orchestrator-core';
import { BLOCK_TOKENS } from '../prefix-cache.ts';
import type { Trace } from '../trace.ts';
import type { RecordedTask } from './recorded-tasks.ts';

/** Deadlines for a task's end have no place in a trace and are left out. */
export function toTrace(tasks: readonly RecordedTask[]): Trace {
  const startMs = tasks[0]?.acceptedAtMs ?? 0;
  const blockIds = new BlockIds();
  return tasks.map(({ spec, usage, acceptedAtMs }) => ({
    arrivalMs: acceptedAtMs - startMs,
    promptTokens: usage.tokensIn,
    outputTokens: usage.tokensOut,
    blocks: spec.prefix === undefined ? [] : blockIds.of(spec.prefix, usage.tokensIn),
    tenant: spec.tenantId,
    priority: spec.priority,
    ttftSloMs:
      spec.deadlineAtMs !== undefined && spec.deadlineFor === 'first-token'
        ? spec.deadlineAtMs - acceptedAtMs
        : undefined,
    maxTokens: spec.maxTokens,
  }));
}

/**
 * The simulator knows prompts by blocks of 512 tokens, the daemon by hashes at places of its own. A
 * block is named by the first of those places that is not before its end: so two prompts share it only
 * where they are known to be alike up to there.
 */
class BlockIds {
  readonly #ids = new Map<string, number>();

  of({ hashes, blockTokens }: PromptPrefix, promptTokens: number): number[] {
    const ids: number[] = [];
    let place = 0;
    for (let end = BLOCK_TOKENS; end <= promptTokens; end += BLOCK_TOKENS) {
      while (place < hashes.length && blocksUpTo(place + 1) * blockTokens < end) place += 1;
      const hash = hashes[place];
      if (hash === undefined) break;
      ids.push(this.#idOf(`${ids.length} ${hash}`));
    }
    return ids;
  }

  #idOf(name: string): number {
    const id = this.#ids.get(name) ?? this.#ids.size;
    this.#ids.set(name, id);
    return id;
  }
}
