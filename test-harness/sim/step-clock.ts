/** How long the steps of one replica take: the formula, its slowdown and its noise. */
import { decodeStepsWithin, decodeStretchMs, iterationMs } from './iteration-time.ts';
import type { ReplicaOptions } from './replica-types.ts';
import { uniformAt } from './seeded-random.ts';

/** The decodes of a step. */
export interface Decodes {
  readonly count: number;
  /** Sum of their contexts, tokens. */
  readonly context: number;
  /** Number of the step among all of the replica's: its noise depends on nothing else. */
  readonly step: number;
}

export class StepClock {
  readonly #options: ReplicaOptions;
  readonly #noiseStream: number;

  constructor(options: ReplicaOptions, noiseStream: number) {
    this.#options = options;
    this.#noiseStream = noiseStream;
  }

  /** One step of `tokens`, decodes included, whose prefill attends to `pairs` of tokens. */
  mixedMs({ count, context, step }: Decodes, tokens: number, pairs: number): number {
    return (
      iterationMs(this.#options.constants, tokens, count, context, pairs) * this.#factorOf(step)
    );
  }

  /** `steps` decode-only steps in a row: in closed form unless they are noisy. */
  stretchMs(decodes: Decodes, steps: number): number {
    const { constants, slowdown, noise } = this.#options;
    if (noise === 0) {
      return slowdown * decodeStretchMs(constants, decodes.count, decodes.context, steps);
    }
    let ms = 0;
    for (let ahead = 0; ahead < steps; ahead += 1) ms += this.#decodeStepMs(decodes, ahead);
    return ms;
  }

  /** How many whole decode-only steps fit into `ms`. */
  stepsWithin(decodes: Decodes, ms: number): number {
    const { constants, slowdown, noise } = this.#options;
    if (noise === 0) {
      return decodeStepsWithin(constants, decodes.count, decodes.context, ms / slowdown);
    }
    let steps = 0;
    let endMs = this.#decodeStepMs(decodes, 0);
    while (endMs <= ms) {
      steps += 1;
      endMs += this.#decodeStepMs(decodes, steps);
    }
    return steps;
  }

  #decodeStepMs({ count, context, step }: Decodes, ahead: number): number {
    const contextThen = context + ahead * count;
    const ms = iterationMs(this.#options.constants, count, count, contextThen, 0);
    return ms * this.#factorOf(step + ahead);
  }

  #factorOf(step: number): number {
    const { slowdown, noise, seed } = this.#options;
    if (noise === 0) return slowdown;
    return slowdown * (1 + noise * (2 * uniformAt(seed, this.#noiseStream, step) - 1));
  }
}
