/** Waiting for what another process brings about, and never for a fixed time. */
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 10;

/**
 * Polls until `probe` gives something other than undefined or false, and returns it.
 * @param withinMs generous: it bounds a hang, it measures nothing
 * @throws Error naming `what` when the time is over
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 15_000,
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`gave up after ${withinMs} ms waiting: ${what}`);
    await sleep(POLL_MS);
  }
}

/** @throws Error naming `what` when the promise is not settled in time */
export async function within<T>(what: string, promise: Promise<T>, ms = 15_000): Promise<T> {
  const clock = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(ms, undefined, { signal: clock.signal }).then(() => {
        throw new Error(`gave up after ${ms} ms waiting: ${what}`);
      }),
    ]);
  } finally {
    clock.abort();
  }
}

/** A condition that stays true for a while: the way to show that something does not happen. */
export async function holdsFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms: number,
): Promise<void> {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    if (!(await condition())) throw new Error(`did not hold for ${ms} ms: ${what}`);
    await sleep(POLL_MS);
  }
}
