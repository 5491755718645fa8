/** How a simulated engine is set up, and how it may be told to misbehave. */

export interface SimOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly slots: number;
  /** Context per slot, tokens. */
  readonly ctx: number;
  /** Tokens after which the simulated model ends by itself. */
  readonly tokens: number;
  /** Pause before each token, ms; 0 sends as fast as the reader takes it. */
  readonly tokenDelayMs: number;
  /** Tokens per write when there is no pause. */
  readonly tokensPerWrite: number;
  /** Cuts every write into HTTP chunks of this many bytes; 0 leaves them whole. */
  readonly splitBytes: number;
  /** A keep-alive comment before every n-th token; 0 sends none. */
  readonly commentEvery: number;
  /** How long every route answers 503 after the start, ms. */
  readonly loadingMs: number;
  /** `--metrics` */
  readonly metrics: boolean;
  /** `--slot-save-path`: without it slots cannot be erased. */
  readonly slotActions: boolean;
  /** Extra keys of `/props`, for engines that declare more than llama-server does. */
  readonly extraProps: object;
  /** A fault for every completion. */
  readonly fault: SimFault | undefined;
  /** What `exit` does; by default the simulator only drops its sockets. */
  readonly onExit: ((code: number) => void) | undefined;
}

export const DEFAULT_SIM_OPTIONS: SimOptions = {
  host: '127.0.0.1',
  port: 0,
  slots: 4,
  ctx: 4096,
  tokens: 24,
  tokenDelayMs: 0,
  tokensPerWrite: 1,
  splitBytes: 0,
  commentEvery: 0,
  loadingMs: 0,
  metrics: true,
  slotActions: true,
  extraProps: {},
  fault: undefined,
  onExit: undefined,
};

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
  /** Sends an error object under status 200. */
  | { readonly kind: 'error-in-stream'; readonly after_tokens: number }
  /** Sends nothing for `ms` after the headers. */
  | { readonly kind: 'slow-first'; readonly ms: number }
  /** The whole engine goes away. */
  | { readonly kind: 'exit'; readonly after_tokens: number; readonly code?: number }
  /** Refuses with this status. */
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

export interface SimStats {
  /** Connections open. */
  readonly sockets: number;
  readonly busySlots: number;
  readonly deferred: number;
  /** Streams waiting for their reader to take what was written. */
  readonly blocked: number;
  readonly completions: number;
  readonly finished: number;
  /** Completions whose client went away. */
  readonly canceled: number;
  readonly tokensSent: number;
}
