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

interface Entry extends Turn {
  readonly atMs: number;
}

export const JOURNAL_SIZE = 256;

export class DispatchJournal {
  readonly #ring: Entry[] = [];
  #next = 0;

  add(turn: Turn, atMs: number): void {
    const { seq, tenantId, priority } = turn;
    this.#ring[this.#next] = { seq, tenantId, priority, atMs };
    this.#next = (this.#next + 1) % JOURNAL_SIZE;
  }

  /** Who was dispatched from `sinceMs` on, while `task` waited; grouped, the most numerous first. */
  before(
    task: Turn,
    sinceMs: number,
  ): { readonly wentFirst: readonly WentFirst[]; readonly truncated: boolean } {
    const groups = new Map<string, { -readonly [K in keyof WentFirst]: WentFirst[K] }>();
    let seen = 0;
    for (let back = 1; back <= this.#ring.length; back += 1) {
      const entry = this.#ring[(this.#next - back + JOURNAL_SIZE) % JOURNAL_SIZE];
      if (entry === undefined || entry.atMs < sinceMs) break;
      seen += 1;
      const reason = precedenceOf(entry, task);
      const { tenantId, priority } = entry;
      const key = `${reason} ${priority} ${tenantId}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { tenantId, priority, reason, tasks: 1 });
      else group.tasks += 1;
    }
    return {
      wentFirst: [...groups.values()].sort((a, b) => b.tasks - a.tasks),
      truncated: seen === JOURNAL_SIZE,
    };
  }
}

function precedenceOf(other: Turn, task: Turn): Precedence {
  if (other.tenantId !== task.tenantId) return 'tenant-share';
  if (other.priority !== task.priority) return 'class-share';
  return other.seq < task.seq ? 'arrived-earlier' : 'more-urgent';
}
