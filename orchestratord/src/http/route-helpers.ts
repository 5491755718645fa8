/** What routes share: typed refusals of a query, the resume header, and JSON that is text already. */
import { invalidParams, isUuid, parseEventId, type Validated } from '@llama-orch/contracts';
import type { Request, Response } from 'express';

/** @throws OrchError INVALID_PARAMS */
export function checkedQuery<T>(parsed: Validated<T>): T {
  if (parsed.ok) return parsed.value;
  throw invalidParams('The query', parsed.details);
}

/** The event a client saw last, or undefined. @throws OrchError INVALID_PARAMS */
export function lastEventIdOf(req: Request): number | undefined {
  const text = req.headers['last-event-id'];
  if (text === undefined) return undefined;
  const id = typeof text === 'string' ? parseEventId(text) : undefined;
  if (id !== undefined) return id;
  throw invalidParams('The Last-Event-ID header', [
    { path: 'Last-Event-ID', message: 'must be the id of an event' },
  ]);
}

export function sendJson(res: Response, text: string): void {
  res.setHeader('content-type', 'application/json; charset=utf-8');
  res.end(text);
}

/** The `{id}` of a task or session. @throws OrchError INVALID_PARAMS */
export function uuidOf(req: Request): string {
  const id = req.params['id'];
  if (typeof id === 'string' && isUuid(id)) return id;
  throw invalidParams('The path', [{ path: 'id', message: 'must be a UUID' }]);
}
