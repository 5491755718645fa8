/**
 * The HTTP application, apart from listening. A request passes: correlation id → body bytes (bounded)
 * → route → answer; any error on the way ends in `errorHandler`.
 */
import express, { type Express, type Router } from 'express';
import type { Logger } from '../logging.ts';
import { correlate } from './correlation.ts';
import { errorHandler, requireHost, unknownRoute } from './errors.ts';

export interface AppOptions {
  readonly routers: readonly Router[];
  readonly bodyLimitBytes: number;
  readonly log: Logger;
}

export function createApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(correlate, requireHost);
  app.use(express.raw({ type: () => true, limit: options.bodyLimitBytes }));
  for (const router of options.routers) app.use(router);
  app.use(unknownRoute);
  app.use(errorHandler(options.log));
  return app;
}
