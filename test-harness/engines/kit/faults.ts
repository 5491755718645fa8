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
  | HttpFault;

/** Refuses with this status; what type and message become in the answer is the protocol's. */
export interface HttpFault {
  readonly kind: 'http';
  readonly status: number;
  readonly type?: string;
  readonly message?: string;
  /** Beside those that the protocol sends, or instead of them. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The fields of each kind that must be there, as they are when they are left out. */
const DEFAULTS: Readonly<Record<SimFault['kind'], object>> = {
  stall: { after_tokens: 0 },
  hang: {},
  cut: { after_tokens: 0 },
  eof: { after_tokens: 0 },
  garbage: { after_tokens: 0 },
  'error-in-stream': { after_tokens: 0 },
  'slow-first': { ms: 0 },
  exit: { after_tokens: 0 },
  http: { status: 500 },
};

/** @throws TypeError when the value is no fault */
export function parseFault(value: unknown): SimFault {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : '';
  if (typeof kind !== 'string' || !Object.hasOwn(DEFAULTS, kind)) {
    throw new TypeError('not a fault');
  }
  return { ...DEFAULTS[kind as SimFault['kind']], ...(value as SimFault) };
}

/** A kind that may be drawn; a number behind it is an HTTP status or an exit code. */
export type DrawnKind =
  | 'stall'
  | 'hang'
  | 'cut'
  | 'eof'
  | 'garbage'
  | 'error-in-stream'
  | 'slow-first'
  | `http-${number}`
  | `exit-${number}`;

/** Every kind after which the engine still runs. */
export const DRAWN_KINDS: readonly DrawnKind[] = [
  'stall',
  'hang',
  'cut',
  'eof',
  'garbage',
  'error-in-stream',
  'slow-first',
  'http-500',
  'http-503',
  'http-400',
  'http-429',
];

/** @param text names separated by commas @throws TypeError for a name that is none */
export function parseDrawnKinds(text: string): readonly DrawnKind[] {
  return text.split(',').map((name) => {
    const isKind = /^(http|exit)-\d{1,3}$/.test(name) || DRAWN_KINDS.some((kind) => kind === name);
    if (!isKind) throw new TypeError(`not a kind of fault: ${name}`);
    return name as DrawnKind;
  });
}

/** The name under which a fault is drawn. */
export function drawnKindOf(fault: SimFault): DrawnKind {
  switch (fault.kind) {
    case 'http':
      return `http-${fault.status}`;
    case 'exit':
      return `exit-${fault.code ?? 1}`;
    default:
      return fault.kind;
  }
}

/**
 * Draws faults for a share of completions, the same ones in every run: kinds in turn, places by a
 * linear congruential generator (Numerical Recipes).
 */
export class FaultDraw {
  readonly #percent: number;
  readonly #kinds: readonly DrawnKind[];
  #state: number;
  #drawn: number;

  /**
   * @param percent of 100 completions, how many fail
   * @param seed moves the places, and the kind that comes first
   */
  constructor(percent: number, seed = 1, kinds: readonly DrawnKind[] = DRAWN_KINDS) {
    this.#percent = percent;
    this.#kinds = kinds;
    this.#state = seed >>> 0;
    this.#drawn = seed >>> 0;
  }

  next(): SimFault | undefined {
    if (this.#random() * 100 >= this.#percent) return undefined;
    const after_tokens = Math.floor(this.#random() * 8);
    const ms = Math.floor(this.#random() * 200);
    const drawn = this.#kinds[this.#drawn % this.#kinds.length] ?? 'hang';
    this.#drawn += 1;
    const [, kind = drawn, digits] = /^(http|exit)-(\d+)$/.exec(drawn) ?? [];
    if (kind === 'http') return { kind, status: Number(digits) };
    if (kind === 'exit') return { kind, after_tokens, code: Number(digits) };
    return parseFault(kind === 'slow-first' ? { kind, ms } : { kind, after_tokens });
  }

  #random(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 32;
  }
}
