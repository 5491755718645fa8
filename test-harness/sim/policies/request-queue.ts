/** Held requests by a number, least first; equals in the order they came. */
import { KeyedHeap } from '../keyed-heap.ts';
import type { RouterRequest } from '../policy.ts';

export class RequestQueue {
  readonly #heap = new KeyedHeap<RouterRequest>();

  get size(): number {
    return this.#heap.size;
  }

  get first(): RouterRequest | undefined {
    return this.#heap.least;
  }

  add(urgency: number, request: RouterRequest): void {
    this.#heap.push(urgency, request);
  }

  takeFirst(): RouterRequest | undefined {
    return this.#heap.pop();
  }
}
