import type { TokenSink } from './types.ts';

/** A sink that has not heard of the start yet. */
export interface WaitingSink {
  readonly sink: TokenSink;
  /** Tells the start if it was not told, after a stream without text. */
  readonly settle: () => void;
}

/**
 * For engines that send the status when a request arrives, and not when it runs: holds `started` back
 * until there is text, the first sign that nothing waits any more.
 */
export function startAtFirstToken(sink: TokenSink): WaitingSink {
  let isTold = false;
  const settle = () => {
    if (isTold) return;
    isTold = true;
    sink.started();
  };
  return {
    sink: {
      started: () => {},
      tokens: (pieces, logprobs) => {
        settle();
        return sink.tokens(pieces, logprobs);
      },
    },
    settle,
  };
}
