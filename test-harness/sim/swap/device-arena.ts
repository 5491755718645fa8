/** One device that holds one model at a time, agents that ask several, and a policy that decides. */
import type { Turn } from './agents.ts';

export interface ArenaModel {
  readonly slots: number;
  readonly loadMs: number;
  readonly unloadMs: number;
}

export interface ArenaTask {
  readonly id: number;
  readonly agent: number;
  readonly model: number;
  readonly holdMs: number;
  readonly arrivedMs: number;
}

/** What a policy may do; each is checked. */
export interface ArenaDevice {
  readonly nowMs: number;
  readonly models: readonly ArenaModel[];
  /** Unloads what is there, if anything, and then loads this one. */
  load(model: number): void;
  unload(): void;
  dispatch(task: ArenaTask): void;
  wakeAt(atMs: number): void;
}

export interface ArenaPolicy {
  arrived(task: ArenaTask): void;
  /** A task is done. */
  finished(task: ArenaTask): void;
  loaded(model: number): void;
  unloaded(model: number): void;
  woken(): void;
}

export interface ArenaResult {
  readonly tasks: number;
  readonly loads: number;
  /** From arrival to dispatch, ms, in order of dispatch. */
  readonly waitsMs: readonly number[];
  readonly endedMs: number;
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Plays all turns of all agents to their end. @throws Error when the policy does what cannot be done */
export function playArena(
  models: readonly ArenaModel[],
  agents: readonly (readonly Turn[])[],
  createPolicy: (device: ArenaDevice) => ArenaPolicy,
): ArenaResult {
  return new Arena(models, agents, createPolicy).play();
}

class Arena implements ArenaDevice {
  readonly models: readonly ArenaModel[];
  nowMs = 0;
  readonly #agents: readonly (readonly Turn[])[];
  readonly #policy: ArenaPolicy;
  readonly #next: number[];
  readonly #waitsMs: number[] = [];
  readonly #waiting = new Set<ArenaTask>();
  #events: Event[] = [];
  #order = 0;
  #tasks = 0;
  #loads = 0;
  #running = 0;
  #loaded: number | undefined;
  #isChanging = false;
  #endedMs = 0;

  constructor(
    models: readonly ArenaModel[],
    agents: readonly (readonly Turn[])[],
    createPolicy: (device: ArenaDevice) => ArenaPolicy,
  ) {
    this.models = models;
    this.#agents = agents;
    this.#next = agents.map(() => 0);
    this.#policy = createPolicy(this);
    for (const agent of agents.keys()) this.#ask(agent);
  }

  play(): ArenaResult {
    for (;;) {
      const event = this.#takeFirst();
      if (event === undefined) break;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      event.run();
    }
    if (this.#waiting.size > 0) throw new Error(`${this.#waiting.size} tasks were never served`);
    const { length: tasks } = this.#waitsMs;
    return { tasks, loads: this.#loads, waitsMs: this.#waitsMs, endedMs: this.#endedMs };
  }

  load(model: number): void {
    if (this.#isChanging || this.#running > 0) throw new Error('the device is in use');
    const unloadMs = this.#loaded === undefined ? 0 : (this.models[this.#loaded]?.unloadMs ?? 0);
    this.#loaded = undefined;
    this.#isChanging = true;
    this.#loads += 1;
    this.#at(this.nowMs + unloadMs + (this.models[model]?.loadMs ?? 0), () => {
      this.#isChanging = false;
      this.#loaded = model;
      this.#policy.loaded(model);
    });
  }

  unload(): void {
    const model = this.#loaded;
    if (this.#isChanging || this.#running > 0 || model === undefined) {
      throw new Error('nothing there can be unloaded');
    }
    this.#loaded = undefined;
    this.#isChanging = true;
    this.#at(this.nowMs + (this.models[model]?.unloadMs ?? 0), () => {
      this.#isChanging = false;
      this.#policy.unloaded(model);
    });
  }

  dispatch(task: ArenaTask): void {
    const slots = this.models[task.model]?.slots ?? 0;
    if (this.#loaded !== task.model || this.#running >= slots) throw new Error('no such slot');
    if (!this.#waiting.delete(task)) throw new Error('the task does not wait');
    this.#running += 1;
    this.#waitsMs.push(this.nowMs - task.arrivedMs);
    this.#at(this.nowMs + task.holdMs, () => {
      this.#running -= 1;
      this.#endedMs = this.nowMs;
      this.#policy.finished(task);
      this.#ask(task.agent);
    });
  }

  wakeAt(atMs: number): void {
    this.#at(atMs, () => this.#policy.woken());
  }

  #ask(agent: number): void {
    const turn = this.#agents[agent]?.[this.#next[agent] ?? 0];
    if (turn === undefined) return;
    this.#next[agent] = (this.#next[agent] ?? 0) + 1;
    this.#at(this.nowMs + turn.afterMs, () => {
      const { model, holdMs } = turn;
      const task = { id: this.#tasks++, agent, model, holdMs, arrivedMs: this.nowMs };
      this.#waiting.add(task);
      this.#policy.arrived(task);
    });
  }

  #at(atMs: number, run: () => void): void {
    this.#events.push({ atMs, order: this.#order++, run });
  }

  #takeFirst(): Event | undefined {
    let first = 0;
    for (const [at, event] of this.#events.entries()) {
      const best = this.#events[first];
      if (best === undefined) break;
      if (event.atMs < best.atMs || (event.atMs === best.atMs && event.order < best.order))
        first = at;
    }
    return this.#events.splice(first, 1)[0];
  }
}
