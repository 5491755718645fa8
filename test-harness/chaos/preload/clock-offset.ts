/**
 * Loaded into a daemon before its own code (`--import`): its wall clock is ahead of the system's by as many
 * milliseconds as a file says, as when somebody sets the clock. The monotonic clock is left alone.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';

const file = process.env['CHAOS_CLOCK_FILE'];
if (file === undefined) throw new Error('CHAOS_CLOCK_FILE is not set');

const RealDate = Date;
const now = (): number => RealDate.now() + Number(readFileSync(file, 'utf8'));

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: readonly unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
  apply: () => new RealDate(now()).toString(),
  get: (target, key, receiver) =>
    key === 'now' ? now : (Reflect.get(target, key, receiver) as unknown),
});
