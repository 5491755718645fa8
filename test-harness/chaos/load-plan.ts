/** The load of a scenario: every task, and what its client does, a function of the seed and its number. */
import type { TaskRequest } from '@llama-orch/contracts';
import { expectedPieces } from '../engines/kit/vocabulary.ts';
import { createRandom } from '../sim/seeded-random.ts';
import { uuidOf } from '../src/named-uuid.ts';

/** What a client does beside reading to the end. `at` counts the events of one connection. */
export type LoadBehaviour =
  | { readonly kind: 'reads' }
  /** Leaves and comes back for what it missed, once for each number. */
  | { readonly kind: 'returns'; readonly at: readonly number[] }
  /** Cancels after so many events; then it stays, or leaves and comes back for more. */
  | { readonly kind: 'cancels'; readonly at: number; readonly leaves: boolean }
  /** Posts and reads over one connection, and is away after so many events until all others are done. */
  | { readonly kind: 'vanishes'; readonly at: number };

export interface LoadTask {
  readonly n: number;
  readonly request: TaskRequest & { readonly task_id: string };
  readonly behaviour: LoadBehaviour;
  readonly expectedText: string;
}

export interface LoadShape {
  readonly seed: number;
  readonly shortestOutput: number;
  readonly longestOutput: number;
  /** Merged into every request. */
  readonly request?: Partial<TaskRequest>;
}

export function planLoadTask(shape: LoadShape, n: number): LoadTask {
  const random = createRandom(shape.seed, n);
  const below = (end: number): number => Math.floor(random.next() * end);
  const maxTokens = shape.shortestOutput + below(shape.longestOutput - shape.shortestOutput + 1);
  const prompt = `Write about the tea of house ${n}.`;
  const taskSeed = below(2 ** 31);
  return {
    n,
    request: {
      task_id: uuidOf(`${shape.seed} ${n}`),
      prompt,
      prompt_format: 'raw',
      seed: taskSeed,
      max_tokens: maxTokens,
      priority: random.next() < 0.7 ? 'interactive' : 'batch',
      determinism: random.next() < 0.8 ? 'strict' : 'best_effort',
      ...shape.request,
    },
    behaviour: behaviourOf(below, maxTokens),
    expectedText: expectedPieces(prompt, taskSeed, maxTokens).join(''),
  };
}

function behaviourOf(below: (end: number) => number, maxTokens: number): LoadBehaviour {
  const share = below(100);
  if (share < 45) return { kind: 'reads' };
  if (share < 70) {
    return {
      kind: 'returns',
      at: Array.from({ length: 1 + below(3) }, () => 1 + below(maxTokens)),
    };
  }
  if (share < 90) return { kind: 'cancels', at: 1 + below(maxTokens), leaves: below(2) === 0 };
  return { kind: 'vanishes', at: 1 + below(maxTokens) };
}
