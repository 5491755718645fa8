/**
 * The latest dispatches of a pool, so that a task can be told who went before it and why. A ring of
 * fixed size: explaining costs the same however deep the queue was.
 */
import type { Precedence, WentFirst } from './decision.ts';
import type { Priority } from './types.ts';

export interface Turn {
  readonly seq: number;
  readonly tenantId: string;
  readonly priority: Priority;
}

export const JOURNAL_SIZE = 256;

export class DispatchJournal {
  readonly #ring: Turn[] = [];
  #count = 0;

  /** Dispatches so far. */
  get count(): number {
    return this.#count;
  }

  add({ seq, tenantId, priority }: Turn): void {
    this.#ring[this.#count % JOURNAL_SIZE] = { seq, tenantId, priority };
    this.#count += 1;
  }

  /** Who was dispatched after the first `from`, while `task` waited; grouped, the most numerous first. */
  before(
    task: Turn,
    from: number,
  ): { readonly wentFirst: readonly WentFirst[]; readonly truncated: boolean } {
    const oldest = this.#count - JOURNAL_SIZE;
    const groups: Group[] = [];
    const byTenant = new Map<string, Group[]>();
    for (let at = this.#count - 1; at >= Math.max(from, oldest); at -= 1) {
      const turn = this.#ring[at % JOURNAL_SIZE];
      if (turn === undefined) break;
      const { tenantId, priority } = turn;
      const reason = precedenceOf(turn, task);
      const ofTenant = byTenant.get(tenantId) ?? [];
      const group = ofTenant.find((g) => g.priority === priority && g.reason === reason);
      if (group !== undefined) {
        group.tasks += 1;
        continue;
      }
      const first = { tenantId, priority, reason, tasks: 1 };
      groups.push(first);
      ofTenant.push(first);
      byTenant.set(tenantId, ofTenant);
    }
    return { wentFirst: groups.sort((a, b) => b.tasks - a.tasks), truncated: from < oldest };
  }
}

type Group = { -readonly [K in keyof WentFirst]: WentFirst[K] };

function precedenceOf(other: Turn, task: Turn): Precedence {
  if (other.tenantId !== task.tenantId) return 'tenant-share';
  if (other.priority !== task.priority) return 'class-share';
  return other.seq < task.seq ? 'arrived-earlier' : 'more-urgent';
}
