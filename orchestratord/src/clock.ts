/** Time as a port: `now` stamps, in ms since the epoch; timers are cancelable. Only main constructs the real one. */
export interface Clock {
  now(): number;
  /** Calls `run` once after `ms`, with 0 as soon as what has come in by now is dealt with; the returned function cancels it. A pending timer never keeps the process alive. */
  setTimer(ms: number, run: () => void): () => void;
}

/** Wall time that never runs backwards within this process: a stepped clock must not reorder events. */
export function createSystemClock(): Clock {
  const offset = Date.now() - performance.now();
  return {
    now: () => Math.round(offset + performance.now()),
    setTimer: (ms, run) => {
      if (ms <= 0) {
        const immediate = setImmediate(run);
        return () => clearImmediate(immediate);
      }
      const timer = setTimeout(run, Math.min(ms, 2_147_483_647));
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
