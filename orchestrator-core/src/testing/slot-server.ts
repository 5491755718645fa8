/**
 * Slots that serve a fair queue, for the fairness tests: tasks whose true cost the queue learns only
 * as it is delivered, tenants and lanes that open and close, and the bound of virtual-time.ts
 * checked, for every pair of flows, over every interval that it speaks of.
 */
import { assert } from 'vitest';
import type { WaitingTask } from '../fair-queue.ts';
import { FairQueue } from '../fair-queue.ts';
import type { Priority } from '../types.ts';

export interface ServerOptions {
  readonly slots: number;
  readonly windowCost: number;
  readonly creditCost: number;
  /** Per flow, by `flowId`; 1 where absent. */
  readonly weights: Readonly<Record<string, number>>;
  /** Whether charges follow the tokens as they are delivered, or are put right only at the end. */
  readonly correctsWhileRunning: boolean;
}

export interface Arrival {
  readonly tenantId: string;
  readonly priority?: Priority;
  readonly lane?: string;
  readonly predicted: number;
  readonly true: number;
  readonly urgencyMs?: number;
}

interface Running {
  readonly task: WaitingTask;
  readonly flow: FlowLog;
  readonly trueCost: number;
  received: number;
  charged: number;
}

/** What one flow had, and the terms of its bound. */
interface FlowLog {
  readonly flowId: string;
  readonly tenantId: string;
  readonly priority: Priority;
  readonly weight: number;
  waiting: number;
  received: number;
  /** p and u of virtual-time.ts. */
  paidAhead: number;
  owed: number;
  /**
   * Least lead of every other flow over this one since this one became eligible; undefined while it
   * is not.
   */
  leastLeads: Map<FlowLog, number> | undefined;
}

export const flowId = (tenantId: string, priority: Priority) => `${tenantId}/${priority}`;

export class SlotServer {
  readonly queue: FairQueue;
  readonly closedLanes = new Set<string>();
  readonly blockedTenants = new Set<string>();
  readonly #options: ServerOptions;
  readonly #flows = new Map<string, FlowLog>();
  readonly #waiting = new Map<WaitingTask, { readonly flow: FlowLog; readonly trueCost: number }>();
  #running: Running[] = [];
  #nextSeq = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.queue = new FairQueue({
      windowCost: options.windowCost,
      creditCosts: { interactive: options.creditCost, batch: options.creditCost },
      weightOf: (tenantId, priority) => this.#weightOf(flowId(tenantId, priority)),
    });
  }

  get runningCount(): number {
    return this.#running.length;
  }

  receivedBy(tenantId: string, priority: Priority = 'interactive'): number {
    return this.#flows.get(flowId(tenantId, priority))?.received ?? 0;
  }

  arrive(arrival: Arrival): WaitingTask {
    const seq = this.#nextSeq++;
    const { tenantId, priority = 'interactive', lane = '', urgencyMs = seq } = arrival;
    const cost = arrival.predicted;
    const taskId = `t${seq}`;
    const task = { taskId, seq, tenantId, priority, lane, urgencyMs, cost, workMs: cost };
    const flow = this.#flowOf(task);
    flow.waiting += 1;
    this.#waiting.set(task, { flow, trueCost: arrival.true });
    this.queue.push(task);
    return task;
  }

  withdraw(pick: number): void {
    const task = [...this.#waiting.keys()][pick % this.#waiting.size];
    if (task === undefined) return;
    this.queue.remove(task.taskId);
    this.#stopsWaiting(task);
  }

  /** Fills the free slots. */
  dispatchAll(): void {
    while (this.#running.length < this.#options.slots && this.#dispatchOne());
  }

  /** Gives the task in a slot up to `cost` of service, and ends it when it has had its true cost. */
  deliver(slot: number, cost: number): void {
    const run = this.#running[slot % this.#running.length];
    if (run === undefined) return;
    const given = Math.min(cost, run.trueCost - run.received);
    run.received += given;
    run.flow.received += given;
    const isDone = run.received === run.trueCost;
    if (isDone || this.#options.correctsWhileRunning) {
      const due = isDone ? run.trueCost : Math.max(run.task.cost, run.received);
      this.queue.charge(run.flow.tenantId, run.flow.priority, due - run.charged);
      run.charged = due;
    }
    if (isDone) this.#running = this.#running.filter((other) => other !== run);
    this.#measure(run.flow);
    this.#checkBound();
  }

  #dispatchOne(): boolean {
    const isOpen = (lane: string) => !this.closedLanes.has(lane);
    const mayRun = (tenantId: string) => !this.blockedTenants.has(tenantId);
    const eligible = new Set<FlowLog>();
    for (const [{ lane, tenantId }, { flow }] of this.#waiting) {
      if (isOpen(lane) && mayRun(tenantId)) eligible.add(flow);
    }
    const [task] = this.queue.candidates(1, isOpen, mayRun);
    assert.strictEqual(task === undefined, eligible.size === 0, 'work is conserved');
    const entry = task && this.#waiting.get(task);
    if (task === undefined || entry === undefined) return false;
    assert.ok(isOpen(task.lane) && mayRun(task.tenantId), 'only eligible tasks are offered');

    for (const flow of this.#flows.values()) {
      flow.leastLeads = eligible.has(flow) ? (flow.leastLeads ?? this.#leadsOver(flow)) : undefined;
    }
    const { flow, trueCost } = entry;
    const run: Running = { task, flow, trueCost, received: 0, charged: 0 };
    this.#running.push(run);
    this.#measure(flow);
    this.queue.dispatch(task.taskId);
    run.charged = task.cost;
    this.#measure(flow);
    this.#stopsWaiting(task);
    return true;
  }

  #measure(flow: FlowLog): void {
    let paidAhead = 0;
    let owed = 0;
    for (const run of this.#running) {
      if (run.flow !== flow) continue;
      paidAhead += run.charged - run.received;
      owed += run.trueCost - run.charged;
    }
    flow.paidAhead = Math.max(flow.paidAhead, paidAhead);
    flow.owed = Math.max(flow.owed, owed);
  }

  #checkBound(): void {
    for (const f of this.#flows.values()) {
      if (f.leastLeads === undefined) continue;
      for (const [g, lead] of this.#leadsOver(f)) {
        const least = Math.min(f.leastLeads.get(g) ?? lead, lead);
        f.leastLeads.set(g, least);
        const bound =
          2 * (this.#options.windowCost + this.#options.creditCost) +
          (f.owed + f.paidAhead) / f.weight +
          (g.owed + g.paidAhead) / g.weight;
        assert.isAtMost(lead - least, bound + 1e-6, `${g.flowId} ran ahead of ${f.flowId}`);
      }
    }
  }

  /** By how much every other flow has had more than `f`, per unit weight. */
  #leadsOver(f: FlowLog): Map<FlowLog, number> {
    const leads = new Map<FlowLog, number>();
    for (const g of this.#flows.values()) {
      if (g !== f) leads.set(g, g.received / g.weight - f.received / f.weight);
    }
    return leads;
  }

  #stopsWaiting(task: WaitingTask): void {
    const flow = this.#flowOf(task);
    this.#waiting.delete(task);
    flow.waiting -= 1;
    if (flow.waiting === 0) flow.leastLeads = undefined;
  }

  #flowOf({ tenantId, priority }: WaitingTask): FlowLog {
    const id = flowId(tenantId, priority);
    let flow = this.#flows.get(id);
    if (flow === undefined) {
      flow = {
        flowId: id,
        tenantId,
        priority,
        weight: this.#weightOf(id),
        waiting: 0,
        received: 0,
        paidAhead: 0,
        owed: 0,
        leastLeads: undefined,
      };
      this.#flows.set(id, flow);
    }
    return flow;
  }

  #weightOf(id: string): number {
    return this.#options.weights[id] ?? 1;
  }
}
