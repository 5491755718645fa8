import { createStopFilter } from './stop-filter.ts';
import type { EngineResult, TokenLogprob } from './types.ts';

/** A result, and whether a stop string came before the engine's own end. */
export interface StoppedResult {
  readonly result: EngineResult;
  readonly early: boolean;
}

type Read = (
  data: string,
  pieces: string[],
  logprobs: (readonly TokenLogprob[])[],
) => EngineResult | undefined;

/**
 * Reads a stream whose engine leaves stop strings in the text, or does not see each of them: the text ends
 * before the first, and then the result is `early` unless the engine ends there as well. An early result
 * counts one token for each event and knows nothing of the prompt.
 * @param read the reader of the protocol, for events of one token
 * @param endsGeneration whether an event says that no more text will come
 */
export function createStopReader(
  stops: readonly string[],
  read: Read,
  endsGeneration: (data: string) => boolean,
) {
  const filter = createStopFilter(stops);
  let stopped = false;
  let isOver = false;
  let events = 0;

  /** @throws whatever `read` throws */
  return (data: string, pieces: string[]): StoppedResult | undefined => {
    const fresh: string[] = [];
    const result = read(data, fresh, []);
    events += 1;
    for (const text of stopped ? [] : fresh) {
      const safe = filter.push(text);
      if (safe.text !== '') pieces.push(safe.text);
      stopped = safe.stop !== undefined;
      if (stopped) break;
    }
    if (result !== undefined) {
      const rest = stopped ? '' : filter.flush();
      if (rest !== '') pieces.push(rest);
      return { result: stopped ? { ...result, finishReason: 'stop' } : result, early: false };
    }
    if (!stopped) return undefined;
    isOver ||= endsGeneration(data);
    if (isOver) return undefined;
    return { result: earlyResult(events), early: true };
  };
}

function earlyResult(tokensOut: number): EngineResult {
  return {
    finishReason: 'stop',
    tokensIn: 0,
    tokensOut,
    cachedTokens: 0,
    decodeMs: undefined,
    slotId: undefined,
  };
}
