/** Load read from the replicas themselves. */
import type { Fleet, RouterRequest } from '../policy.ts';
import type { ReplicaTruth } from '../replica-types.ts';
import type { LoadView } from './load-view.ts';

export class TrueLoad implements LoadView {
  readonly #fleet: Fleet;
  readonly #truth: readonly ReplicaTruth[];

  constructor(fleet: Fleet, truth: readonly ReplicaTruth[]) {
    this.#fleet = fleet;
    this.#truth = truth;
  }

  requests(replica: number): number {
    const { running, waiting } = this.#of(replica);
    return running + waiting;
  }

  waiting(replica: number): number {
    return this.#of(replica).waiting;
  }

  kvTokens(replica: number): number {
    return this.#of(replica).kvTokens;
  }

  unstartedTokens(replica: number): number {
    return this.#of(replica).unstartedTokens;
  }

  decodes(replica: number): number {
    return this.#of(replica).decodes;
  }

  decodeContext(replica: number): number {
    return this.#of(replica).decodeContext;
  }

  stepLeftMs(replica: number): number {
    return this.#of(replica).stepEndMs(this.#fleet.nowMs) - this.#fleet.nowMs;
  }

  hitTokens(request: RouterRequest, replica: number): number {
    return this.#of(replica).hitTokens(request.promptTokens, request.blocks);
  }

  /** A request already waiting there is taken first, and may have to wait for memory. */
  isOpen(_request: RouterRequest, replica: number): boolean {
    return this.#of(replica).waiting === 0 && this.requests(replica) < this.#slots(replica);
  }

  sent(): void {}

  firstToken(): void {}

  finished(): void {}

  #slots(replica: number): number {
    return this.#fleet.replicas[replica]?.slots ?? 0;
  }

  #of(replica: number): ReplicaTruth {
    const truth = this.#truth[replica];
    if (truth === undefined) throw new RangeError(`there is no replica ${replica}`);
    return truth;
  }
}
