/**
 * Checks a re-run against what readers have already been shown. A strict task that runs again
 * must give the same text; the part that was shown is swallowed, the rest is new (ORCH-3045).
 */

import { tokenText, type TokenEntry } from './task-log.ts';

/** The engine gave other text than before: its readers cannot be continued. */
export class ReplayDivergedError extends Error {
  override readonly name = 'ReplayDivergedError';
}

export class ReplayCheck {
  readonly #shown: string;
  #at = 0;

  /** @param shown text of every token that was appended before this run */
  constructor(shown: string) {
    this.#shown = shown;
  }

  /** False once everything shown has been regenerated. */
  get pending(): boolean {
    return this.#at < this.#shown.length;
  }

  /**
   * Passes tokens of the re-run through; returns those (or the part of one) not shown before.
   * Compares text rather than tokens, because an engine may cut the same text differently. A token
   * shown in part comes without its probabilities: they belong to the whole of it.
   * @throws ReplayDivergedError
   */
  accept(tokens: readonly TokenEntry[]): readonly TokenEntry[] {
    if (!this.pending) return tokens;
    for (const [index, token] of tokens.entries()) {
      const piece = tokenText(token);
      const due = this.#shown.length - this.#at;
      const compared = piece.length <= due ? piece : piece.slice(0, due);
      if (!this.#shown.startsWith(compared, this.#at)) {
        throw new ReplayDivergedError('the re-run gave other text than the first run');
      }
      this.#at += compared.length;
      if (!this.pending) {
        const rest = tokens.slice(index + 1);
        return piece.length > due ? [piece.slice(due), ...rest] : rest;
      }
    }
    return [];
  }

  /** Call when the re-run ended. @throws ReplayDivergedError when it was shorter than what was shown */
  finish(): void {
    if (this.pending) throw new ReplayDivergedError('the re-run ended before the first run did');
  }
}
