/** Time as a port: `now` stamps, in ms since the epoch; timers are cancelable. `main.ts` takes the real one. */
export interface Clock {
  now(): number;
  /** Calls `run` once after `ms`, with 0 as soon as what has come in by now is dealt with; the returned function cancels it. A pending timer never keeps the process alive. */
  setTimer(ms: number, run: () => void): () => void;
}
