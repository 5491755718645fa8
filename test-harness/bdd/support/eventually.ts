import { waitFor } from '../../src/wait-for.ts';

/**
 * Repeats a check until it passes: for what a daemon tells a little after it has happened.
 * @throws what the check threw last, when it does not pass in time
 */
export async function eventually(
  check: () => void | Promise<void>,
  withinMs = 15_000,
): Promise<void> {
  let reason: unknown;
  try {
    await waitFor(
      'a check to pass',
      async () => {
        try {
          await check();
          return true;
        } catch (error) {
          reason = error;
          return false;
        }
      },
      withinMs,
    );
  } catch (error) {
    throw reason ?? error;
  }
}
