import type { Clock } from './ports.ts';
import type { EngineProcess } from './spawn-engine.ts';

/** A killed process that does not go away is stuck in the kernel; waiting longer is no use. */
const AFTER_KILL_MS = 5000;

/**
 * SIGTERM, and after `graceMs` SIGKILL, which also ends a process that is stopped. Resolves when the
 * process has ended; false when it outlived even that.
 */
export async function terminate(
  engine: EngineProcess,
  graceMs: number,
  clock: Clock,
): Promise<boolean> {
  engine.kill('SIGTERM');
  if (await endsWithin(engine, graceMs, clock)) return true;
  engine.kill('SIGKILL');
  return endsWithin(engine, AFTER_KILL_MS, clock);
}

function endsWithin(engine: EngineProcess, ms: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.setTimer(ms, () => resolve(false));
    void engine.exited.then(() => {
      cancel();
      resolve(true);
    });
  });
}
