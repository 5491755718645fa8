/**
 * Ends a text before its stop string, and holds back what may be the beginning of one: no part of a stop
 * string is ever emitted, however the text is cut into pieces.
 */
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
