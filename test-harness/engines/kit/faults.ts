/**
 * One completion's misbehaviour. Sent to `POST /__sim/fault`, where `times` (1) says how many
 * completions it hits, or as the JSON value of a request's `x-sim-fault` header.
 */
export type SimFault =
  /** Stops sending and keeps the connection open. */
  | { readonly kind: 'stall'; readonly after_tokens: number }
  /** Accepts the request and never answers. */
  | { readonly kind: 'hang' }
  /** Drops the connection in the middle of an event. */
  | { readonly kind: 'cut'; readonly after_tokens: number }
  /** Ends the answer cleanly, without the last event. */
  | { readonly kind: 'eof'; readonly after_tokens: number }
  /** Sends an event that is not JSON. */
  | { readonly kind: 'garbage'; readonly after_tokens: number }
  /** Sends an error object under status 200; in some protocols it holds a status of its own. */
  | {
      readonly kind: 'error-in-stream';
      readonly after_tokens: number;
      readonly status?: number;
      readonly message?: string;
    }
  /** Sends nothing for `ms` after the headers. */
  | { readonly kind: 'slow-first'; readonly ms: number }
  /** The whole engine goes away. */
  | { readonly kind: 'exit'; readonly after_tokens: number; readonly code?: number }
  /** Refuses with this status; what type and message become in the answer is the protocol's. */
  | {
      readonly kind: 'http';
      readonly status: number;
      readonly type?: string;
      readonly message?: string;
    };

const KINDS: ReadonlySet<string> = new Set<SimFault['kind']>([
  'stall',
  'hang',
  'cut',
  'eof',
  'garbage',
  'error-in-stream',
  'slow-first',
  'exit',
  'http',
]);

/** @throws TypeError when the value is no fault */
export function parseFault(value: unknown): SimFault {
  const given = value as Partial<Record<string, unknown>> | null;
  if (typeof given !== 'object' || given === null || !KINDS.has(String(given['kind']))) {
    throw new TypeError('not a fault');
  }
  return { after_tokens: 0, ms: 0, status: 500, ...given } as unknown as SimFault;
}

/**
 * Draws faults for a share of completions, the same ones in every run: kinds in turn, places by a
 * linear congruential generator (Numerical Recipes).
 */
export class FaultDraw {
  readonly #percent: number;
  #state = 1;
  #drawn = 0;

  /** @param percent of 100 completions, how many fail */
  constructor(percent: number) {
    this.#percent = percent;
  }

  next(): SimFault | undefined {
    if (this.#random() * 100 >= this.#percent) return undefined;
    const after_tokens = Math.floor(this.#random() * 8);
    const kind = RANDOM_KINDS[this.#drawn % RANDOM_KINDS.length];
    this.#drawn += 1;
    if (kind === undefined || kind === 'hang') return { kind: 'hang' };
    if (kind === 'slow-first') return { kind, ms: Math.floor(this.#random() * 200) };
    if (typeof kind === 'number') return { kind: 'http', status: kind };
    return { kind, after_tokens };
  }

  #random(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 32;
  }
}

const RANDOM_KINDS = [
  'stall',
  'hang',
  'cut',
  'eof',
  'garbage',
  'error-in-stream',
  'slow-first',
  500,
  503,
  400,
] as const;
