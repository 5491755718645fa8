import type { Clock } from './ports.ts';

export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/**
 * Runs `work` under a signal that aborts after `ms` or with `parent`. Settles at that moment even when
 * `work` pays no heed to its signal.
 * @throws DeadlineError after `ms`; the parent's reason when the parent aborts
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent?.throwIfAborted();
  const abort = new AbortController();
  const onParentAbort = (): void => abort.abort(parent?.reason);
  parent?.addEventListener('abort', onParentAbort, { once: true });
  const cancelTimer = clock.setTimer(ms, () => {
    abort.abort(new DeadlineError(`no answer within ${ms} ms`));
  });
  const aborted = new Promise<never>((_resolve, reject) => {
    abort.signal.addEventListener('abort', () => reject(abort.signal.reason as Error), {
      once: true,
    });
  });
  try {
    return await Promise.race([work(abort.signal), aborted]);
  } finally {
    cancelTimer();
    parent?.removeEventListener('abort', onParentAbort);
  }
}

/** Resolves after `ms`, or rejects with the signal's reason. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      cancelTimer();
      reject(signal.reason as Error);
    };
    const cancelTimer = clock.setTimer(ms, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
