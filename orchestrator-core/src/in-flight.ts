/**
 * What the tasks that run will cost, by flow: the term A of the fairness bound in `virtual-time.ts`. A
 * flow gets a large part of a pool while it is alone, or when its answers turn out longer than they
 * were predicted; with others waiting it must not get more (OC-CORE-1080).
 */
import type { Priority } from './types.ts';

/** Cost in flight per weight that a flow may have, as a multiple of what all others of its class have. */
const MOST_OF_OTHERS = 2;

interface Holding {
  tasks: number;
  cost: number;
}

interface Class {
  cost: number;
  /** By tenant; none without a task. */
  readonly holdings: Map<string, Holding>;
}

interface Entry {
  readonly tenantId: string;
  readonly priority: Priority;
  readonly cost: number;
}

export class InFlight {
  readonly #weightOf: (tenantId: string, priority: Priority) => number;
  readonly #tasks = new Map<string, Entry>();
  readonly #classes: { readonly [P in Priority]: Class } = {
    interactive: { cost: 0, holdings: new Map() },
    batch: { cost: 0, holdings: new Map() },
  };

  constructor(weightOf: (tenantId: string, priority: Priority) => number) {
    this.#weightOf = weightOf;
  }

  /** @param cost of the running task in all, as far as is known, in cost units; replaces what was said before */
  set(taskId: string, tenantId: string, priority: Priority, cost: number): void {
    const before = this.#tasks.get(taskId);
    if (before?.cost === cost) return;
    this.end(taskId);
    this.#tasks.set(taskId, { tenantId, priority, cost });
    const of = this.#classes[priority];
    of.cost += cost;
    const holding = of.holdings.get(tenantId);
    if (holding === undefined) {
      of.holdings.set(tenantId, { tasks: 1, cost });
    } else {
      holding.tasks += 1;
      holding.cost += cost;
    }
  }

  end(taskId: string): void {
    const entry = this.#tasks.get(taskId);
    if (entry === undefined) return;
    this.#tasks.delete(taskId);
    const of = this.#classes[entry.priority];
    const holding = of.holdings.get(entry.tenantId);
    if (holding === undefined) return;
    of.cost -= entry.cost;
    holding.tasks -= 1;
    holding.cost -= entry.cost;
    if (holding.tasks === 0) of.holdings.delete(entry.tenantId);
    // Else rounding errors would add up.
    if (of.holdings.size === 0) of.cost = 0;
  }

  /**
   * Whether the flow has several tasks in flight, more than half of the cost in flight of its class, and
   * per weight more than twice what all others have by the greatest of their weights. O(1) but for
   * the one flow that has more than half.
   */
  hasTooMuch(tenantId: string, priority: Priority): boolean {
    const { cost, holdings } = this.#classes[priority];
    const own = holdings.get(tenantId);
    if (own === undefined || own.tasks < 2) return false;
    const others = cost - own.cost;
    if (own.cost <= others) return false;
    let heaviest = 0;
    for (const other of holdings.keys()) {
      if (other !== tenantId) heaviest = Math.max(heaviest, this.#weightOf(other, priority));
    }
    const weight = this.#weightOf(tenantId, priority);
    return own.cost * heaviest >= MOST_OF_OTHERS * others * weight;
  }
}
