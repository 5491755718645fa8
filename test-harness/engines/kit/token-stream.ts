import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { SimFault } from './faults.ts';
import type { Generation } from './generation.ts';
import type { SimOptions } from './sim-options.ts';
import type { SimToken } from './vocabulary.ts';

/** How a protocol writes what happens in one stream. */
export interface Framing {
  readonly headers: OutgoingHttpHeaders;
  readonly keepAlive: string;
  /** What comes before the first token. */
  begin(): string;
  /** One event, of `tokens`; `sent` counts them too. */
  tokens(tokens: readonly SimToken[], sent: number): string;
  /** What follows the last token. */
  end(sent: number): string;
  /** A failure under status 200, and whatever the protocol sends after one; `status` is what it stands for. */
  error(message: string, status: number): string;
  /** An event that is not what it should be. */
  readonly garbage: string;
  /** The beginning of an event. */
  readonly half: string;
}

export interface StreamHooks {
  /** A chunk was generated; `sent` counts all tokens up to and with it. */
  readonly onTokens: (tokens: readonly SimToken[], sent: number) => void;
  readonly onBlocked: (change: 1 | -1) => void;
  /** The stream is over, whatever way; called once. */
  readonly onOver: (finished: boolean) => void;
  readonly onExit: (code: number) => void;
}

export const SSE_HEADERS: OutgoingHttpHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
};

/** Sends one generation as a stream, at the pace of the options and the reader, with its fault. */
export class TokenStream {
  readonly #res: ServerResponse;
  readonly #generation: Generation;
  readonly #framing: Framing;
  readonly #options: SimOptions;
  readonly #fault: SimFault | undefined;
  readonly #hooks: StreamHooks;
  /** Tokens after which the fault strikes; Infinity when there is none. */
  readonly #faultAfter: number;
  #sent = 0;
  #chunks = 0;
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  /** The reader has not taken what was written. */
  #blocked = false;

  constructor(
    res: ServerResponse,
    generation: Generation,
    framing: Framing,
    options: SimOptions,
    fault: SimFault | undefined,
    hooks: StreamHooks,
  ) {
    this.#res = res;
    this.#generation = generation;
    this.#framing = framing;
    this.#options = options;
    this.#fault = fault;
    this.#hooks = hooks;
    this.#faultAfter =
      fault !== undefined && 'after_tokens' in fault ? fault.after_tokens : Infinity;
  }

  /** Sends the headers, unless that was done, and then the tokens. */
  start(): void {
    this.#res.once('close', () => this.#finish(false));
    if (!this.#res.headersSent) {
      this.#res.writeHead(200, this.#framing.headers);
      this.#res.flushHeaders();
    }
    if (this.#fault?.kind === 'slow-first') {
      this.#res.write(this.#framing.keepAlive);
      this.#timer = setTimeout(this.#pump, this.#fault.ms);
    } else {
      this.#next();
    }
  }

  /** Stops generating without an answer, as engines do on a signal. */
  abandon(): void {
    this.#finish(false);
  }

  #next(): void {
    const delayMs = this.#options.tokenDelayMs;
    if (delayMs > 0) this.#timer = setTimeout(this.#pump, delayMs);
    else setImmediate(this.#pump);
  }

  readonly #pump = (): void => {
    if (this.#over) return;
    const { tokenDelayMs, tokensPerWrite } = this.#options;
    const chunks = this.#chunks + (tokenDelayMs > 0 ? 1 : tokensPerWrite);
    const last = Math.min(this.#generation.count, this.#faultAfter);
    let events = this.#chunks === 0 ? this.#framing.begin() : '';
    while (this.#sent < last && this.#chunks < chunks) events += this.#nextChunk(last);

    if (this.#sent === this.#faultAfter) {
      this.#strike(events);
    } else if (this.#sent === this.#generation.count) {
      this.#write(events + this.#framing.end(this.#sent));
      this.#res.end();
      this.#finish(true);
    } else if (this.#write(events)) {
      this.#next();
    } else {
      this.#setBlocked(true);
      this.#res.once('drain', () => {
        this.#setBlocked(false);
        this.#next();
      });
    }
  };

  #nextChunk(last: number): string {
    const { tokensPerChunk, commentEvery } = this.#options;
    const tokens: SimToken[] = [];
    while (tokens.length < tokensPerChunk && this.#sent < last) {
      tokens.push(this.#generation.next());
      this.#sent += 1;
    }
    this.#chunks += 1;
    this.#hooks.onTokens(tokens, this.#sent);
    const isCommented = commentEvery > 0 && this.#chunks % commentEvery === 0;
    const comment = isCommented ? this.#framing.keepAlive : '';
    return comment + this.#framing.tokens(tokens, this.#sent);
  }

  #write(text: string): boolean {
    const { splitBytes } = this.#options;
    if (splitBytes === 0) return this.#res.write(text);
    const bytes = Buffer.from(text);
    let ok = true;
    for (let start = 0; start < bytes.length; start += splitBytes) {
      ok = this.#res.write(bytes.subarray(start, start + splitBytes));
    }
    return ok;
  }

  #setBlocked(blocked: boolean): void {
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    this.#hooks.onBlocked(blocked ? 1 : -1);
  }

  #strike(events: string): void {
    const fault = this.#fault;
    const { garbage, half } = this.#framing;
    switch (fault?.kind) {
      case 'stall':
        this.#res.write(events);
        return;
      case 'eof':
        this.#res.end(events);
        return;
      case 'garbage':
        this.#res.end(events + garbage);
        return;
      case 'error-in-stream':
        this.#res.end(
          events + this.#framing.error(fault.message ?? 'decode failed', fault.status ?? 500),
        );
        return;
      case 'cut':
        this.#res.write(events + half, () => this.#res.destroy());
        return;
      case 'exit':
        this.#res.write(events, () => this.#hooks.onExit(fault.code ?? 1));
        return;
      default:
        throw new Error(`a fault without a token count: ${fault?.kind}`);
    }
  }

  #finish(finished: boolean): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#setBlocked(false);
    this.#hooks.onOver(finished);
  }
}
