/** What the room needs from outside, passed in once so that tests run on virtual time and seeded chance. */

export interface Clock {
  /** Milliseconds; only differences matter. */
  now(): number;
  /** Runs `fire` once after `ms`; returns the cancel function. */
  setTimer(ms: number, fire: () => void): () => void;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/** The part of a pino logger that is used here. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
