/**
 * JSON logs, one event a line, on stderr: stdout is for what a person or a script waits for. Fields are
 * those of `.specs/71-metrics-contract.md`; prompts, outputs and keys never reach a logger, because nothing
 * that holds them is ever passed to one.
 */
import { pino, type Logger } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Bytes gathered before a write, so that a line costs no system call of its own. */
const BUFFER_BYTES = 8192;
/** A quiet daemon's lines still appear within this time, ms. */
const FLUSH_EVERY_MS = 200;

export interface LogSinkHandle {
  readonly log: Logger;
  /** Writes what is buffered; for the end of the process. */
  readonly flush: () => void;
}

/** Asynchronous, buffered: a log line never blocks a request. */
export function createLogger(level: LogLevel): LogSinkHandle {
  const destination = pino.destination({ fd: 2, sync: false, minLength: BUFFER_BYTES });
  // Whoever read the log may leave; the daemon goes on without it.
  destination.on('error', () => undefined);
  const timer = setInterval(() => destination.flush(), FLUSH_EVERY_MS);
  timer.unref();
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    log,
    flush: () => {
      try {
        destination.flushSync();
      } catch {
        // The descriptor was not open yet or is gone; there is nowhere to complain to.
      }
    },
  };
}

export type { Logger } from 'pino';
