import type { ArenaDevice, ArenaPolicy, ArenaTask } from './device-arena.ts';

/** What both baselines know: who waits, in order of arrival, and what is loaded. */
abstract class Baseline implements ArenaPolicy {
  protected readonly device: ArenaDevice;
  protected readonly waiting: ArenaTask[] = [];
  protected current: number | undefined;
  protected running = 0;
  #isLoading = false;

  constructor(device: ArenaDevice) {
    this.device = device;
  }

  /** The next task to dispatch, or the model to load; undefined: wait. */
  protected abstract choose(): ArenaTask | { readonly load: number } | undefined;

  arrived(task: ArenaTask): void {
    this.waiting.push(task);
    this.#act();
  }

  finished(): void {
    this.running -= 1;
    this.#act();
  }

  loaded(model: number): void {
    this.#isLoading = false;
    this.current = model;
    this.#act();
  }

  unloaded(): void {
    // Neither ever unloads without loading.
  }

  woken(): void {
    // Neither asks for it.
  }

  protected get hasFreeSlot(): boolean {
    if (this.current === undefined) return false;
    return this.running < (this.device.models[this.current]?.slots ?? 0);
  }

  #act(): void {
    while (!this.#isLoading) {
      const choice = this.choose();
      if (choice === undefined) return;
      if ('load' in choice) {
        this.#isLoading = true;
        this.current = undefined;
        this.device.load(choice.load);
      } else {
        this.waiting.splice(this.waiting.indexOf(choice), 1);
        this.running += 1;
        this.device.dispatch(choice);
      }
    }
  }
}

/** Tasks start strictly in order of arrival, whatever model each needs. */
export class FirstComeFirstServed extends Baseline {
  protected override choose() {
    const [head] = this.waiting;
    if (head === undefined) return undefined;
    if (head.model === this.current) return this.hasFreeSlot ? head : undefined;
    return this.running === 0 ? { load: head.model } : undefined;
  }
}

/**
 * A loaded model serves whoever asks for it, and is evicted when it is idle and another is asked for:
 * the least recently used of one.
 */
export class LeastRecentlyUsed extends Baseline {
  protected override choose() {
    const own = this.waiting.find(({ model }) => model === this.current);
    if (own !== undefined) return this.hasFreeSlot ? own : undefined;
    const [head] = this.waiting;
    return head === undefined || this.running > 0 ? undefined : { load: head.model };
  }
}
