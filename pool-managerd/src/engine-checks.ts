/** The questions put to an engine that is loading or serving; each rejects with what is wrong. */
import type { WorkerAdapter } from '@llama-orch/worker-adapters';
import { pause } from './deadline.ts';
import type { Clock } from './ports.ts';

/** Between two questions whether a loading engine is ready, ms: quick for small models, easy on large ones. */
const LOAD_POLL_MIN_MS = 20;
const LOAD_POLL_MAX_MS = 500;

export interface LoadWatch {
  /** A process of ours may not listen yet; an endpoint that does not is down. */
  readonly refusalIsFinal: boolean;
  /** The engine answered, but is still loading. */
  readonly onLoading: () => void;
}

/**
 * Asks until the engine is ready.
 * @throws Error when the endpoint is down; the signal's reason when it aborts
 */
export async function awaitLoad(
  adapter: WorkerAdapter,
  { refusalIsFinal, onLoading }: LoadWatch,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (let delayMs = LOAD_POLL_MIN_MS; ; delayMs = Math.min(delayMs * 1.5, LOAD_POLL_MAX_MS)) {
    const health = await adapter.health(signal);
    signal.throwIfAborted();
    if (health.state === 'ready') return;
    if (health.state === 'loading') onLoading();
    else if (refusalIsFinal) throw new Error(health.reason);
    await pause(clock, delayMs, signal);
  }
}

/** @throws Error when the engine is anything but ready */
export async function expectReady(adapter: WorkerAdapter, signal: AbortSignal): Promise<void> {
  const health = await adapter.health(signal);
  if (health.state === 'loading') throw new Error('the engine is loading again');
  if (health.state === 'down') throw new Error(health.reason);
}
