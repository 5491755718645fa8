/** The load of a run with faults: every task a function of the seed and its number. */
import type { TaskRequest, TaskResult } from '@llama-orch/contracts';
import { renderChat } from '../engines/kit/chat.ts';
import { embeddingOf, rankingOf } from '../engines/kit/pooling.ts';
import { expectedPieces } from '../engines/kit/vocabulary.ts';
import { createRandom } from '../sim/seeded-random.ts';
import { FAULT_POOLS, OWNED_POOL, POISON, type FaultPool } from './fault-engines.ts';
import { uuidOf } from '../src/named-uuid.ts';

/** What the client of a task does. `at` counts events of its stream. */
export type Behaviour =
  | { readonly kind: 'reads' }
  /** Posts and reads over one connection. */
  | { readonly kind: 'streams' }
  /** Leaves and comes back for what it missed, once for each number. */
  | { readonly kind: 'returns'; readonly at: readonly number[] }
  /** Stops reading for a while, again and again. */
  | { readonly kind: 'dawdles'; readonly pauseMs: number }
  /** Cancels: at once, or after so many events. */
  | { readonly kind: 'cancels'; readonly at: number }
  /** Goes away for good; the task may be canceled with it. */
  | { readonly kind: 'vanishes'; readonly at: number; readonly cancels: boolean }
  /** Posts and looks for the result later. */
  | { readonly kind: 'polls' };

export interface PlannedTask {
  readonly n: number;
  readonly pool: FaultPool;
  readonly request: TaskRequest & { readonly task_id: string };
  readonly behaviour: Behaviour;
  /** What it must give once completed: the simulator's bytes for (prompt, seed). */
  readonly expected: TaskResult;
  readonly isPoison: boolean;
}

const POISON_EVERY = 2_000;
const FIRST_POISON = 100;
const SESSIONS_A_POOL = 40;
const LONG_OUTPUT = 300;
/** No drawn fault strikes behind it. */
const SHORTEST_OUTPUT = 8;

export function planTask(seed: number, n: number): PlannedTask {
  const random = createRandom(seed, n);
  const chance = (probability: number): boolean => random.next() < probability;
  const below = (end: number): number => Math.floor(random.next() * end);
  const isPoison = n % POISON_EVERY === FIRST_POISON;
  const pool = FAULT_POOLS[below(FAULT_POOLS.length)] as FaultPool;
  const planned = isPoison ? (FAULT_POOLS.find(({ id }) => id === OWNED_POOL) ?? pool) : pool;
  const subject = `${markOf(n)} ${isPoison ? POISON : 'tea'}`;
  const common = {
    task_id: uuidOf(`task ${seed} ${n}`),
    model_ref: `${planned.id}-model`,
    priority: chance(0.6) ? ('interactive' as const) : ('batch' as const),
    determinism: chance(0.7) ? ('strict' as const) : ('best_effort' as const),
  };

  if (!isPoison && planned.workloads.includes('embedding') && chance(0.15)) {
    const texts = [`first ${subject}`, `second ${subject}`, 'third'];
    const wanted = chance(0.5) ? whole(texts) : ranked(subject, texts);
    const behaviour: Behaviour = chance(0.5) ? { kind: 'reads' } : { kind: 'polls' };
    const request = { ...common, ...wanted.request };
    return { n, pool: planned, request, behaviour, expected: wanted.expected, isPoison };
  }

  const behaviour = isPoison ? ({ kind: 'reads' } as const) : behaviourOf(chance, below);
  const isLong = behaviour.kind === 'dawdles' || behaviour.kind === 'cancels';
  const maxTokens = isLong ? LONG_OUTPUT : SHORTEST_OUTPUT + below(24);
  const taskSeed = below(2 ** 31);
  const isChat = chance(0.2);
  const messages = [{ role: 'user' as const, content: subject }];
  const prompt = isChat ? renderChat(messages) : `Write a haiku about ${subject}.`;
  const request: PlannedTask['request'] = {
    ...common,
    seed: taskSeed,
    max_tokens: maxTokens,
    ...(isChat ? { messages } : { prompt, prompt_format: 'raw' }),
    ...(chance(0.3)
      ? { session_id: uuidOf(`session ${seed} ${planned.id} ${below(SESSIONS_A_POOL)}`) }
      : {}),
  };
  const text = expectedPieces(prompt, taskSeed, maxTokens).join('');
  return { n, pool: planned, request, behaviour, expected: { text }, isPoison };
}

/** Stands in all texts of a task, so that an engine's log tells whom a fault hit. */
function markOf(n: number): string {
  return `task-${n};`;
}

/** The number of the task that a text is of; undefined for texts of the daemon's own. */
export function markIn(text: string): number | undefined {
  const digits = /task-(\d+);/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

interface Whole {
  readonly request: Partial<TaskRequest>;
  readonly expected: TaskResult;
}

function whole(inputs: string[]): Whole {
  return {
    request: { workload: 'embedding', inputs },
    expected: { embeddings: inputs.map(embeddingOf) },
  };
}

function ranked(query: string, documents: string[]): Whole {
  return {
    request: { workload: 'rerank', query, documents, top_n: 2 },
    expected: { ranking: rankingOf(query, documents, 2) },
  };
}

function behaviourOf(
  chance: (probability: number) => boolean,
  below: (end: number) => number,
): Behaviour {
  const share = below(100);
  if (share < 50) return { kind: 'reads' };
  if (share < 60) return { kind: 'streams' };
  if (share < 74) {
    const at = Array.from({ length: 1 + below(3) }, () => 1 + below(8));
    return { kind: 'returns', at };
  }
  if (share < 76) return { kind: 'dawdles', pauseMs: 10 + below(40) };
  if (share < 86) return { kind: 'cancels', at: chance(0.2) ? 0 : below(60) };
  if (share < 95) return { kind: 'vanishes', at: below(6), cancels: chance(0.5) };
  return { kind: 'polls' };
}
