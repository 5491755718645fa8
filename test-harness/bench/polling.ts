/** Waiting for something in another process that sends no event. */
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;
const TIMEOUT_MS = 60_000;

/** @throws Error when it is not so within a minute */
export async function waitUntil(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + TIMEOUT_MS;
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain for ${what}`);
    await sleep(POLL_MS);
  }
}
