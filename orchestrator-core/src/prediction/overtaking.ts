/**
 * How much longer a task waits because more urgent ones come after it. In an order by deadline whoever
 * has time left is passed by newcomers that have less, and the longer it waits, the fewer those can be:
 * at time u from now only they whose own time is shorter than its own less u.
 *
 * Their work per unit of time, by how urgent they were when they came, is measured with forgetting; the
 * work before a task is then done at the rate that they leave.
 */

/**
 * Time after which an arrival counts 1/e, ms. Shorter memories take every burst for the new normal and
 * are far too late to say so: waits are longest when a burst is over.
 */
const MEMORY_MS = 60_000;
/** Quiet before the first arrival that is counted with it, ms: one arrival is no rate. */
const LEAST_SEEN_MS = 10_000;
/** Bins of urgency, ten to the decade from 10 ms to about three hours. */
const PER_DECADE = 10;
const LEAST_MS = 10;
const BINS = 61;
/** Share of the capacity that is left to a task however much passes it: an overload does not last. */
const LEAST_LEFT = 0.1;
/** Flows that are told apart; of one beyond them nothing is foreseen. */
const MAX_FLOWS = 64;

export class Overtaking {
  readonly #flows = new Map<string, UrgencyRates>();

  /**
   * A task came and waits, or would have if all were busy.
   * @param urgentInMs when it should start, from now
   * @param workMs time for which it keeps one replica
   */
  arrived(flow: string, urgentInMs: number, workMs: number, nowMs: number): void {
    let rates = this.#flows.get(flow);
    if (rates === undefined) {
      if (this.#flows.size >= MAX_FLOWS) this.#dropIdlest();
      rates = new UrgencyRates(nowMs);
      this.#flows.set(flow, rates);
    }
    rates.add(urgentInMs, workMs, nowMs);
  }

  /**
   * @param waitMs the wait with nobody coming after it
   * @param urgentInMs as of the task that waits
   * @returns the wait with those who will pass it, at least `waitMs`. O(1).
   */
  waitMs(
    flow: string,
    waitMs: number,
    urgentInMs: number,
    replicas: number,
    nowMs: number,
  ): number {
    return (
      this.#flows.get(flow)?.waitMs(waitMs, urgentInMs, Math.max(1, replicas), nowMs) ?? waitMs
    );
  }

  #dropIdlest(): void {
    let idlest: string | undefined;
    let sinceMs = Infinity;
    for (const [flow, { lastMs }] of this.#flows) {
      if (lastMs >= sinceMs) continue;
      sinceMs = lastMs;
      idlest = flow;
    }
    if (idlest !== undefined) this.#flows.delete(idlest);
  }
}

class UrgencyRates {
  /** Work by urgency, ms, each as old as `lastMs`. */
  readonly #workMs = new Float64Array(BINS);
  readonly #sinceMs: number;
  lastMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
    this.lastMs = nowMs;
  }

  add(urgentInMs: number, workMs: number, nowMs: number): void {
    const kept = this.#keptAt(nowMs);
    for (let i = 0; i < BINS; i++) this.#workMs[i] = kept * (this.#workMs[i] ?? 0);
    this.lastMs = Math.max(this.lastMs, nowMs);
    const bin = binOf(urgentInMs);
    this.#workMs[bin] = workMs + (this.#workMs[bin] ?? 0);
  }

  waitMs(aloneMs: number, urgentInMs: number, replicas: number, nowMs: number): number {
    const seenMs = LEAST_SEEN_MS + Math.max(0, nowMs - this.#sinceMs);
    const overMs = MEMORY_MS * (1 - Math.exp(-seenMs / MEMORY_MS));
    const perMs = this.#keptAt(nowMs) / (overMs * replicas);
    const top = binOf(urgentInMs);
    let rate = 0;
    for (let i = 0; i < top; i++) rate += perMs * (this.#workMs[i] ?? 0);
    let leftMs = aloneMs;
    let passedMs = 0;
    // While its remaining time is within one bin, those of the bins below pass it, and half of that bin's;
    // not at first, as deadlines come in classes and those of its own come behind it.
    for (let i = top; i >= 0; i--) {
      const own = i === top ? 0 : perMs * (this.#workMs[i] ?? 0);
      const speed = Math.max(LEAST_LEFT, 1 - rate - own / 2);
      const withinMs = Math.max(0, urgentInMs - passedMs - floorOf(i));
      if (leftMs <= withinMs * speed) return passedMs + leftMs / speed;
      leftMs -= withinMs * speed;
      passedMs += withinMs;
      rate -= perMs * (this.#workMs[i - 1] ?? 0);
    }
    return passedMs + leftMs;
  }

  #keptAt(nowMs: number): number {
    return Math.exp(-Math.max(0, nowMs - this.lastMs) / MEMORY_MS);
  }
}

function binOf(urgentInMs: number): number {
  if (!(urgentInMs > LEAST_MS)) return 0;
  return Math.min(BINS - 1, Math.floor(PER_DECADE * Math.log10(urgentInMs / LEAST_MS)));
}

/** Where a bin begins, ms. */
function floorOf(bin: number): number {
  return bin === 0 ? 0 : LEAST_MS * 10 ** (bin / PER_DECADE);
}
