/**
 * The daemons that scenarios share. Scenarios of one feature whose set-ups are alike get the same daemon, idle
 * again; at the end of the feature it ends. One that was tagged `@own-daemon`, or failed, is not shared.
 */
import type { SetUp } from './set-up.ts';
import { openStage, type Stage } from './stage.ts';

/** So many daemons of one feature may wait for another scenario at once. */
const KEPT = 3;

export class Stages {
  #feature = '';
  /** Idle, the last used last. */
  readonly #idle = new Map<string, Stage>();

  /** @param feature whose scenario begins; the daemons of another one end */
  async enter(feature: string): Promise<void> {
    if (feature === this.#feature) return;
    this.#feature = feature;
    await this.close();
  }

  async take(setUp: SetUp, isOwn: boolean): Promise<Stage> {
    const key = JSON.stringify(setUp);
    const idle = isOwn ? undefined : this.#idle.get(key);
    if (idle === undefined) return openStage(setUp);
    this.#idle.delete(key);
    return idle;
  }

  /** Takes a daemon back from a scenario that passed and may share it. */
  async giveBack(stage: Stage): Promise<void> {
    await stage.tidy();
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
