/**
 * How much service each flow has had, per unit of its weight: start-time fair queueing (Goyal et
 * al., 1996) with the charges of VTC (arXiv 2401.00588: predicted cost at dispatch, corrected as
 * tokens stream) and a window in which the caller may choose freely (DLPM, arXiv 2501.14312).
 *
 * The caller dispatches only from flows whose time lies within `window` of the least time among the
 * flows that are eligible, that is, have a task that could run at that moment.
 *
 * The floor is the greatest value so far of two, less `credit`: at an arrival or dispatch, the least
 * time among the flows that wait; at a dispatch, also `start - window`, `start` being the flow's time
 * before its charge. It never falls, and never passes an eligible flow. So a flow that the floor has
 * passed was idle or blocked, and is lifted to it: for that time it keeps at most `credit`, with which
 * one that used less than its share may have a burst before a flood. An eligible flow is below the
 * floor only by what was paid back to it since the floor last rose, and keeps that.
 *
 * The bound. Of a flow f with weight w, at any moment, let
 *   received: the cost of the tokens it was given; charged: what it was charged for its tasks;
 *   p: the most by which charged has exceeded received, that is, predictions paid in advance;
 *   u: the most by which the true cost of its tasks in flight, one being dispatched included, has
 *      exceeded what was charged for them;
 *   s = time - (charged - received) / w, which grows by received / w, and by lifts.
 * From below: when the floor last rose, time >= floor, and s has not fallen since, so
 *   s >= floor - p / w.
 * From above: at its last dispatch, start <= floor + window; since then it received at most the
 * true cost of what was in flight; and a lift goes to the floor, so
 *   s <= floor + window + credit + u / w.
 * Both hold for every flow at all times. Over an interval in which f is eligible at every dispatch,
 * and so never lifted, subtracting them at both ends leaves for any g
 *   W_g / w_g - W_f / w_f <= 2 (window + credit) + (u_f + p_f) / w_f + (u_g + p_g) / w_g
 * where W is what a flow receives in the interval. With both eligible throughout, it holds for the
 * difference either way. As u and p are each at most A, the greatest cost that a flow has in flight
 * at once (each task at the larger of predicted and true), the right side is at most
 *   2 (window + credit + A_f / w_f + A_g / w_g).
 * With W_f = 0 it says how much any g can get while f waits.
 *
 * An idle flow at the floor is as good as a new one, and is forgotten. A new weight counts from the
 * next charge: what is in flight then is corrected by it, which is off by at most A |1/w' - 1/w|,
 * once.
 */
import { OrderedList } from './ordered-list.ts';

/** One flow's account. The fields belong to `VirtualTimes`. */
export interface Account {
  /** Unique; breaks ties. */
  readonly order: number;
  isWaiting: boolean;
  /** Virtual time: cost per unit weight, on a scale that is shifted now and then. */
  time: number;
  /** The floor when `time` was last set. */
  floor: number;
}

/** Idle flows remembered for what they had above the floor. Beyond this, those with least are forgiven. */
const MAX_IDLE = 4_096;
/** Above this the scale is shifted back: doubles still resolve 1/4096 there. */
const SHIFT_AT = 2 ** 40;

const byTime = {
  key: (account: Account) => account.time,
  seq: (account: Account) => account.order,
  weight: () => 0,
};

export class VirtualTimes<A extends Account> {
  readonly #window: number;
  readonly #credit: number;
  readonly #forget: (account: A) => void;
  readonly #waiting = new OrderedList<A>(byTime);
  readonly #idle = new OrderedList<A>(byTime);
  #floor = 0;

  /** @param forget called with an idle account whose return as a new one would make no difference */
  constructor(window: number, credit: number, forget: (account: A) => void) {
    this.#window = window;
    this.#credit = credit;
    this.#forget = forget;
  }

  get floor(): number {
    return this.#floor;
  }

  /**
   * Ascending in `time` as stored. `timeOf` is greater only for those that the floor has passed,
   * and then it is the floor.
   */
  waiting(): Iterable<A> {
    return this.#waiting;
  }

  /** Those that wait whose time is `time` at most, and perhaps some at the floor. O(log n). */
  countUpTo(time: number): number {
    return this.#waiting.countBefore(Math.max(time, this.#floor), Infinity);
  }

  /** Of the first `count` that wait all, or `most` that are evenly spread over them. */
  spread(count: number, most: number): readonly A[] {
    return this.#waiting.spread(count, most);
  }

  timeOf(account: A): number {
    const isLifted = account.floor < this.#floor || !account.isWaiting;
    return isLifted ? Math.max(account.time, this.#floor) : account.time;
  }

  /** What `timeOf` would be if the account, or without one a new one, began to wait. */
  timeOnArrival(account: A | undefined, credit = this.#credit): number {
    if (account?.isWaiting === true) return this.timeOf(account);
    return Math.max(account?.time ?? 0, this.#floor, this.#leastWaiting() - credit);
  }

  /** @param credit what the account may keep of its idle time, at most the credit of all */
  setWaiting(account: A, isWaiting: boolean, credit = this.#credit): void {
    // Taken out first: raising the floor forgets idle accounts.
    this.#unfile(account);
    const least = this.#leastWaiting();
    if (isWaiting) this.#raiseFloor(least - this.#credit);
    const time = this.timeOf(account);
    account.isWaiting = isWaiting;
    this.#file(account, isWaiting ? Math.max(time, least - credit) : time);
  }

  /** At a dispatch from a waiting account. `by` is the predicted cost per unit weight. */
  serve(account: A, by: number): void {
    const start = this.timeOf(account);
    this.#raiseFloor(Math.max(this.#leastWaiting(), start - this.#window) - this.#credit);
    this.charge(account, by);
  }

  /** Corrects earlier charges. What is paid back to an idle account does not take it below the floor. */
  charge(account: A, by: number): void {
    const time = this.timeOf(account) + by;
    this.#unfile(account);
    this.#file(account, time);
  }

  #leastWaiting(): number {
    return this.#waiting.first()?.time ?? this.#floor + this.#credit;
  }

  #unfile(account: A): void {
    (account.isWaiting ? this.#waiting : this.#idle).remove(account);
  }

  #file(account: A, time: number): void {
    account.time = time;
    account.floor = this.#floor;
    if (account.isWaiting) this.#waiting.insert(account);
    else if (time > this.#floor) this.#idle.insert(account);
    else this.#forget(account);
    if (this.#idle.size > MAX_IDLE) this.#forgetFirstIdle();
    // Only here is every account in one of the lists.
    if (this.#floor > SHIFT_AT) this.#shiftScale();
  }

  #raiseFloor(to: number): void {
    if (to <= this.#floor) return;
    this.#floor = to;
    while ((this.#idle.first()?.time ?? Infinity) <= to) this.#forgetFirstIdle();
  }

  #forgetFirstIdle(): void {
    const account = this.#idle.first();
    if (account === undefined) return;
    this.#idle.remove(account);
    this.#forget(account);
  }

  /** Rounding may make times equal that were not, so the lists are filled anew. */
  #shiftScale(): void {
    const by = this.#floor;
    this.#floor = 0;
    for (const list of [this.#waiting, this.#idle]) {
      const accounts = [...list];
      list.clear();
      for (const account of accounts) {
        account.time -= by;
        account.floor -= by;
        list.insert(account);
      }
    }
  }
}
