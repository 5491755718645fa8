/**
 * Replaces the replicas of a pool by those of another model, one by one: beside the old one where there is
 * memory for both, else instead of it.
 */
import type { MemoryDesk } from './memory-desk.ts';
import type { PoolSettings } from './pool-config.ts';
import type { PoolMembers } from './pool-members.ts';

/** What replicas are started with, and the generation that they are of. */
export interface Model {
  readonly settings: PoolSettings;
  readonly generation: number;
}

export interface ExchangeDeps {
  readonly members: PoolMembers;
  readonly memory: MemoryDesk;
}

/**
 * @param abort ends it, at whatever point
 * @returns why it was not done, where not every old replica may be there any more; undefined when it was
 */
export async function bringIn(
  model: Model,
  deps: ExchangeDeps,
  abort: AbortSignal,
): Promise<string | undefined> {
  for (let ordinal = 0; ordinal < model.settings.replicas; ordinal++) {
    const fault = await replace(ordinal, model, deps, abort);
    if (fault !== undefined) return fault;
  }
  return reasonOf(abort);
}

/** Undoes it: the old model is back in each place before what came with the new one ends. */
export async function bringBack(
  { settings, generation }: Model,
  members: PoolMembers,
  failedGeneration: number,
): Promise<void> {
  const { retireMs } = settings;
  for (let ordinal = 0; ordinal < settings.replicas; ordinal++) {
    if (members.stopped) return;
    const isThere = members.of(generation).some((each) => each.ordinal === ordinal);
    // It may lack the memory that the new one still has; then it tries again by itself.
    if (!isThere) await members.bringUp(members.open({ ordinal, generation, settings }));
    const failed = members.of(failedGeneration).filter((each) => each.ordinal === ordinal);
    await members.retire(failed, retireMs);
  }
  await members.retire(members.of(failedGeneration), retireMs);
}

async function replace(
  ordinal: number,
  { settings, generation }: Model,
  { members, memory }: ExchangeDeps,
  abort: AbortSignal,
): Promise<string | undefined> {
  if (abort.aborted) return reasonOf(abort);
  const inPlace = members.all.filter((each) => each.ordinal === ordinal);
  const old = inPlace.filter((each) => each.generation !== generation);
  // It is there already where it was a canary.
  if (inPlace.length === old.length) {
    const next = members.open({ ordinal, generation, settings });
    const verdict = await memory.ask(next.driver.snapshot.replicaId, settings);
    // On a guess the old one, which works, would be put at risk.
    const hasRoom = verdict.kind === 'granted' && verdict.isKnown;
    if (!hasRoom) await members.retire(old, settings.retireMs, abort);
    const fault = await members.bringUp(next, abort);
    if (fault !== undefined) return fault;
  }
  await members.retire(old, settings.retireMs, abort);
  return reasonOf(abort);
}

export function reasonOf(abort: AbortSignal): string | undefined {
  return abort.aborted ? (abort.reason as Error).message : undefined;
}
