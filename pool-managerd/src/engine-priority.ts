/**
 * Engines on the daemon's own cores come second: an engine computes whenever it has a core, while the
 * daemon needs one rarely but at once, to take a task or to pass a token on.
 */
import { writeFile } from 'node:fs/promises';
import { getPriority, setPriority } from 'node:os';
import type { Clock } from './ports.ts';

/** A tenth of the daemon's share where both want the same core; where the engine has it alone, nothing. */
const STEPS_BELOW = 10;
const LOWEST = 19;
/** Linux takes one such write in 100 ms, of all unprivileged processes together. */
const RETRY_MS = 110;
const MAX_TRIES = 20;

/**
 * Lowers the priority of a process that has just started. Its threads inherit that.
 * @param pid leader of a session of its own. Linux may balance sessions, not processes (autogroup(7)):
 *   then the session has a priority too, and only that counts.
 * @returns to be called when the process has ended: ends the attempts
 */
export function yieldToDaemon(pid: number, clock: Clock): () => void {
  const priority = Math.min(LOWEST, getPriority() + STEPS_BELOW);
  try {
    setPriority(pid, priority);
  } catch {
    // It has ended already, or the system does not let us: it runs all the same.
  }
  let cancel = (): void => undefined;
  let ended = false;
  const lowerSession = async (triesLeft: number): Promise<void> => {
    try {
      await writeFile(`/proc/${pid}/autogroup`, String(priority), { flag: 'r+' });
    } catch (error) {
      const isTooSoon = (error as NodeJS.ErrnoException).code === 'EAGAIN';
      if (isTooSoon && triesLeft > 0 && !ended) {
        cancel = clock.setTimer(RETRY_MS, () => void lowerSession(triesLeft - 1));
      }
    }
  };
  if (process.platform === 'linux') void lowerSession(MAX_TRIES);
  return () => {
    ended = true;
    cancel();
  };
}
