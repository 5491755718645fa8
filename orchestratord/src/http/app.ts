/**
 * The HTTP application, apart from listening. A request passes: correlation id → key → route, which checks
 * scope and rate and only then reads the body → answer. Any error on the way ends in `errorHandler`.
 */
import express, { type Express, type Router } from 'express';
import type { KeyRing } from '../auth/key-ring.ts';
import type { Logger } from '../logging.ts';
import { authenticate } from './authenticate.ts';
import { correlate } from './correlation.ts';
import { errorHandler, requireHost, unknownRoute } from './errors.ts';

export interface AppOptions {
  readonly routers: readonly Router[];
  /** Undefined while none is configured. */
  readonly keys: KeyRing | undefined;
  readonly log: Logger;
}

export function createApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(correlate, requireHost, authenticate(options.keys));
  for (const router of options.routers) app.use(router);
  app.use(unknownRoute);
  app.use(errorHandler(options.log));
  return app;
}
