import { DRAWN_KINDS } from './faults.ts';
import type { DrawnKind, SimFault } from './faults.ts';
import type { Drift } from './generation.ts';

/** How a simulated engine of any protocol is set up. */
export interface SimOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Requests it runs at once. */
  readonly slots: number;
  /** Requests that may wait for a slot; one more is refused the protocol's way. */
  readonly queue: number;
  /** Context of one request, tokens. */
  readonly ctx: number;
  /** Tokens after which the simulated model ends by itself. */
  readonly tokens: number;
  /** Pause before each chunk, ms; 0 sends as fast as the reader takes it. */
  readonly tokenDelayMs: number;
  /** How long an embedding or a ranking takes, ms. */
  readonly computeMs: number;
  /** Tokens in one event of the stream, where the protocol allows several. */
  readonly tokensPerChunk: number;
  /** Chunks per write when there is no pause. */
  readonly tokensPerWrite: number;
  /** Cuts every write into HTTP chunks of this many bytes; 0 leaves them whole. */
  readonly splitBytes: number;
  /** A keep-alive comment before every n-th chunk; 0 sends none. */
  readonly commentEvery: number;
  /** How long it loads after the start, ms; what it answers until then is the protocol's. */
  readonly loadingMs: number;
  /** A fault for every completion. */
  readonly fault: SimFault | undefined;
  /** Of 100 completions, how many get a fault drawn at random. */
  readonly faultPercent: number;
  /** Of the draw: another seed hits other completions, and begins with another kind. */
  readonly faultSeed: number;
  /** What is drawn, in turn. */
  readonly faultKinds: readonly DrawnKind[];
  /** It has drifted: its answers to one seed have another token at one place. */
  readonly drift: Drift | undefined;
  /** A prompt that holds this text makes the engine exit with code 134, every time. */
  readonly poison: string | undefined;
  /** Told of every completion that a fault hits, with its prompt or whole body. */
  readonly onFault: ((fault: SimFault, text: string) => void) | undefined;
  /** What `exit` does; by default the simulator only drops its sockets. */
  readonly onExit: ((code: number) => void) | undefined;
}

export const DEFAULT_SIM_OPTIONS: SimOptions = {
  host: '127.0.0.1',
  port: 0,
  slots: 4,
  queue: Infinity,
  ctx: 4096,
  tokens: 24,
  tokenDelayMs: 0,
  computeMs: 0,
  tokensPerChunk: 1,
  tokensPerWrite: 1,
  splitBytes: 0,
  commentEvery: 0,
  loadingMs: 0,
  fault: undefined,
  faultPercent: 0,
  faultSeed: 1,
  faultKinds: DRAWN_KINDS,
  drift: undefined,
  poison: undefined,
  onFault: undefined,
  onExit: undefined,
};

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
