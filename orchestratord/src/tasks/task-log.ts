/**
 * A task's output as an append-only log with readers (architecture, decision 3). Entries are numbered
 * from 1 without gaps; the number is the SSE `id`. Readers hold a cursor each and pull at their own
 * pace, so resume, late join, several readers and slow readers are one mechanism.
 *
 * What readers may be shown (`visible`) is not simply what was appended:
 *
 * - A strict task's tokens are shown at once, before they are durable: after a crash the task runs
 *   again from its seed and appends the same tokens at the same numbers. So nothing whose position
 *   depends on time may be shown before it is durable: `metrics`, `end` and `error` are appended
 *   under a `hold`, which also holds whatever comes behind them.
 * - A best-effort task cannot be regenerated. Its log is `durableFirst`: every entry is shown only
 *   once it is durable.
 */

import type { TokenLogprob } from '@llama-orch/worker-adapters';

export type LogEntry = TokenEntry | ControlEntry;

/** A token is its text, unless its probabilities were asked for. */
export type TokenEntry = string | WeighedToken;

export interface WeighedToken {
  readonly token: string;
  /** Of the engine tokens the text is made of; not empty. */
  readonly logprobs: readonly TokenLogprob[];
}

export interface ControlEntry {
  readonly event: 'started' | 'metrics' | 'end' | 'error';
  /** JSON text of the event's data. */
  readonly data: string;
}

export function isToken(entry: LogEntry): entry is TokenEntry {
  return typeof entry === 'string' || 'token' in entry;
}

export function tokenText(entry: TokenEntry): string {
  return typeof entry === 'string' ? entry : entry.token;
}

/** Called after `visible` grew or the log was sealed; must not throw. */
export type LogListener = () => void;

/** Entries appended and not yet durable; at this many the engine is held back. */
export const MAX_UNPERSISTED = 1024;

export class TaskLog {
  readonly durableFirst: boolean;
  readonly #inMemory: boolean;
  readonly #entries: LogEntry[];
  readonly #listeners = new Set<LogListener>();
  #visible: number;
  #persisted: number;
  #flushed: number;
  #holds = 0;
  #sealed = false;
  #tokensSuppressed = false;
  #tokens = 0;
  /** No `metrics` may take a number up to this one: an earlier life may have shown a token there. */
  readonly #quietUntil: number;
  #persistWaiters: (() => void)[] = [];

  /**
   * @param restored what the ledger kept of an earlier life of this task
   * @param inMemory nothing of it is written: nobody will ask for it after this life of the daemon
   */
  constructor(options: {
    readonly durableFirst: boolean;
    readonly restored?: readonly LogEntry[] | undefined;
    readonly inMemory?: boolean;
  }) {
    this.durableFirst = options.durableFirst;
    this.#inMemory = options.inMemory ?? false;
    this.#entries = [...(options.restored ?? [])];
    for (const entry of this.#entries) if (isToken(entry)) this.#tokens += 1;
    this.#visible = this.#persisted = this.#flushed = this.#entries.length;
    this.#quietUntil = options.restored === undefined ? 0 : this.#entries.length + MAX_UNPERSISTED;
  }

  /** Entries appended. */
  get length(): number {
    return this.#entries.length;
  }
  /** Entries that readers may be shown. */
  get visible(): number {
    return this.#visible;
  }
  /** The last entry was appended; it is `end` or `error`. */
  get sealed(): boolean {
    return this.#sealed;
  }
  get tokens(): number {
    return this.#tokens;
  }
  /** True from a cancel on: readers are shown no further `token`. */
  get tokensSuppressed(): boolean {
    return this.#tokensSuppressed;
  }
  get mayCarryMetrics(): boolean {
    return !this.#sealed && this.#entries.length > this.#quietUntil;
  }

  /** The entry with SSE id `position + 1`. */
  entry(position: number): LogEntry | undefined {
    return this.#entries[position];
  }

  appendTokens(tokens: readonly TokenEntry[]): void {
    if (this.#sealed) return;
    for (const token of tokens) this.#entries.push(token);
    this.#tokens += tokens.length;
    this.#show();
  }

  append(entry: ControlEntry): void {
    if (this.#sealed) return;
    this.#entries.push(entry);
    this.#show();
  }

  /** Appends the last entry; later appends are ignored. */
  seal(entry: ControlEntry): void {
    if (this.#sealed) return;
    this.#entries.push(entry);
    this.#sealed = true;
    this.#show();
  }

  /** Shows no reader another `token`, whatever was appended or is still unread. */
  suppressTokens(): void {
    this.#tokensSuppressed = true;
  }

  /** Keeps everything appended from here on from readers until the returned function is called. */
  hold(): () => void {
    this.#holds += 1;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#holds -= 1;
      this.#show();
    };
  }

  /** Resolves once readers are shown all of a sealed log; at once while it may still grow. */
  endShown(): Promise<void> {
    const isShown = (): boolean => this.#visible === this.#entries.length;
    if (!this.#sealed || isShown()) return Promise.resolve();
    return new Promise((resolve) => {
      const unsubscribe = this.subscribe(() => {
        if (!isShown()) return;
        unsubscribe();
        resolve();
      });
    });
  }

  subscribe(listener: LogListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Text of all tokens so far. */
  text(): string {
    let text = '';
    for (const entry of this.#entries) if (isToken(entry)) text += tokenText(entry);
    return text;
  }

  /** How many tokens stand before a position: the index `i` of a token there. O(position). */
  tokensBefore(position: number): number {
    let count = 0;
    for (let p = 0; p < position; p += 1) {
      const entry = this.#entries[p];
      if (entry !== undefined && isToken(entry)) count += 1;
    }
    return count;
  }

  /** Entries not yet handed to the ledger, as JSON texts; they count as handed over from here on. */
  takeUnflushed(): { readonly firstId: number; readonly entries: readonly string[] } | undefined {
    if (this.#inMemory || this.#flushed === this.#entries.length) return undefined;
    const first = this.#flushed;
    const entries: string[] = [];
    for (let p = first; p < this.#entries.length; p += 1) {
      entries.push(JSON.stringify(this.#entries[p]));
    }
    this.#flushed = this.#entries.length;
    return { firstId: first + 1, entries };
  }

  /** The first `count` entries are durable. */
  markPersisted(count: number): void {
    if (count <= this.#persisted) return;
    this.#persisted = count;
    if (this.durableFirst) this.#show();
    if (!this.saturated) {
      const waiters = this.#persistWaiters;
      this.#persistWaiters = [];
      for (const wake of waiters) wake();
    }
  }

  /** True while so much is not durable that the engine should be held back. */
  get saturated(): boolean {
    return !this.#inMemory && this.#entries.length - this.#persisted >= MAX_UNPERSISTED;
  }

  /** Resolves once the log is no longer saturated. */
  desaturated(): Promise<void> {
    if (!this.saturated) return Promise.resolve();
    return new Promise((resolve) => this.#persistWaiters.push(resolve));
  }

  #show(): void {
    if (this.#holds > 0) return;
    const upTo = this.durableFirst ? this.#persisted : this.#entries.length;
    if (upTo <= this.#visible) return;
    this.#visible = upTo;
    for (const listener of this.#listeners) listener();
  }
}

/** Reads an entry back from its ledger text. */
export function parseLogEntry(text: string): LogEntry {
  return JSON.parse(text) as LogEntry;
}
