import type { Clock } from '../ports.ts';

/**
 * Wall time, in ms since the epoch, that never runs backwards within this process: a stepped clock must
 * not reorder events, end a lease or keep one alive. A pending timer never keeps the process alive.
 */
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
