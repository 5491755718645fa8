/** A network between one orchestratord and its hosts that delays, loses, repeats and reorders. */
import type { VirtualClock } from '@llama-orch/pool-managerd/testing';

export class Network {
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  readonly #cut = new Set<string>();
  /** Of messages while the way is open. */
  lossRate = 0;
  maxDelayMs = 5;

  /** @param random 0 ≤ x < 1 */
  constructor(clock: VirtualClock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Nothing passes between a host and orchestratord, in either direction. */
  partition(hostId: string): void {
    this.#cut.add(hostId);
  }

  heal(hostId: string): void {
    this.#cut.delete(hostId);
  }

  isCut(hostId: string): boolean {
    return this.#cut.has(hostId);
  }

  /** Lets `arrive` happen after a while, or never. Later messages may overtake it. */
  send(hostId: string, arrive: () => void): void {
    if (this.#cut.has(hostId) || this.#random() < this.lossRate) return;
    this.#clock.setTimer(Math.ceil(this.#random() * this.maxDelayMs), () => {
      if (!this.#cut.has(hostId)) arrive();
    });
  }

  /** Like `send`, and now and then twice. */
  sendPerhapsTwice(hostId: string, arrive: () => void): void {
    this.send(hostId, arrive);
    if (this.#random() < this.lossRate) this.send(hostId, arrive);
  }
}
