/**
 * The daemons that scenarios share. Scenarios of one feature whose set-ups are alike get the same daemon, idle
 * again; at the end of the feature it ends. One that was tagged `@own-daemon`, or failed, is not shared.
 */
import type { SetUp } from './set-up.ts';
import type { Stage } from './stage.ts';

/** So many daemons of one feature may wait for another scenario at once. */
const KEPT = 3;

export type SharedStage = Pick<Stage, 'setUp' | 'tidy' | typeof Symbol.asyncDispose>;

export class Stages<S extends SharedStage = Stage> {
  readonly #open: (setUp: SetUp) => Promise<S>;
  #feature = '';
  /** Idle, the last used last. */
  readonly #idle = new Map<string, S>();

  constructor(open: (setUp: SetUp) => Promise<S>) {
    this.#open = open;
  }

  /** @param feature whose scenario begins; the daemons of another one end */
  async enter(feature: string): Promise<void> {
    if (feature === this.#feature) return;
    this.#feature = feature;
    await this.close();
  }

  async take(setUp: SetUp, isOwn: boolean): Promise<S> {
    const key = JSON.stringify(setUp);
    const idle = isOwn ? undefined : this.#idle.get(key);
    if (idle === undefined) return this.#open(setUp);
    this.#idle.delete(key);
    return idle;
  }

  /** Takes a daemon back from a scenario that passed and may share it. */
  async giveBack(stage: S): Promise<void> {
    try {
      await stage.tidy();
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
    this.#idle.set(JSON.stringify(stage.setUp), stage);
    const [oldest] = this.#idle;
    if (this.#idle.size <= KEPT || oldest === undefined) return;
    this.#idle.delete(oldest[0]);
    await oldest[1][Symbol.asyncDispose]();
  }

  async close(): Promise<void> {
    const stages = [...this.#idle.values()];
    this.#idle.clear();
    for (const stage of stages) await stage[Symbol.asyncDispose]();
  }
}
