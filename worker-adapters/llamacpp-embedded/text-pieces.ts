/**
 * From tokens to text that may leave the process: pieces end on code point boundaries, and no part
 * of a stop string is ever emitted. Both hold for every way the text is cut into tokens.
 */

/** A code point has at most four bytes, so what four tokens did not close is broken for good. */
const MAX_SILENT_TOKENS = 4;
/** Tokens of left context; some vocabularies write a token differently at the start of a text. */
export const CONTEXT_TOKENS = 4;
const REPLACEMENT = '\uFFFD';

export type Detokenize = (tokens: readonly number[], before: readonly number[]) => string;

export interface TokenText {
  /**
   * The text this token completes, or undefined when it only adds to an open code point. One that
   * is still open when generation ends is dropped, as llama-server does.
   */
  push(token: number): string | undefined;
}

/** @param before the tokens in front of the first one pushed, for left context. */
export function createTokenText(detokenize: Detokenize, before: readonly number[]): TokenText {
  let recent = before.slice(-CONTEXT_TOKENS);
  /** Tokens since the last one that ended on a code point boundary, and how much of their text is out. */
  let open: number[] = [];
  let sent = 0;
  let silent = 0;
  return {
    push(token) {
      open.push(token);
      const text = detokenize(open, recent);
      const complete = text.replace(/\uFFFD+$/, '');
      const closed = !text.endsWith(REPLACEMENT);
      silent = complete.length > sent ? 0 : silent + 1;
      const fresh = (silent < MAX_SILENT_TOKENS ? complete : text).slice(sent);
      if (closed || silent >= MAX_SILENT_TOKENS) {
        recent = [...recent, ...open].slice(-CONTEXT_TOKENS);
        open = [];
        sent = 0;
        silent = 0;
        return fresh;
      }
      sent = complete.length;
      return fresh === '' ? undefined : fresh;
    },
  };
}

export interface StopFilter {
  /** Text that is safe to emit; with `stop`, generation ends here and nothing may follow. */
  push(text: string): { readonly text: string; readonly stop: string | undefined };
  /** What was held back in case it began a stop string. */
  flush(): string;
}

/** The stop string that is complete first wins; of several complete at once, the longest. */
export function createStopFilter(stops: readonly string[]): StopFilter {
  const wanted = stops.filter((stop) => stop !== '');
  let held = '';
  return {
    push(text) {
      if (wanted.length === 0) return { text, stop: undefined };
      const seen = held + text;
      const match = firstCompleted(seen, wanted);
      if (match !== undefined) {
        held = '';
        return { text: seen.slice(0, match.start), stop: match.stop };
      }
      const keep = longestOpenSuffix(seen, wanted);
      held = seen.slice(seen.length - keep);
      return { text: seen.slice(0, seen.length - keep), stop: undefined };
    },
    flush() {
      const text = held;
      held = '';
      return text;
    },
  };
}

function firstCompleted(text: string, stops: readonly string[]) {
  let best: { start: number; stop: string } | undefined;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    if (start < 0) continue;
    const ends = start + stop.length;
    const bestEnds = best === undefined ? Infinity : best.start + best.stop.length;
    if (ends < bestEnds || (ends === bestEnds && start < (best?.start ?? 0)))
      best = { start, stop };
  }
  return best;
}

/** Length of the longest end of `text` that begins some stop string. */
function longestOpenSuffix(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length -= 1) {
      if (text.endsWith(stop.slice(0, length))) {
        longest = length;
        break;
      }
    }
  }
  return longest;
}
