/** The log as the daemon's parts see it; `main.ts` makes it. */
export type { Logger } from 'pino';
