/** The small texts that come in paths and headers. A test holds them equal to the contract. */

const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const HOST_ID = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
const VISIBLE_ASCII = /^[!-~]+$/;
const EVENT_ID = /^[0-9]{1,16}$/;

/** A task_id or session_id. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** An id of a pool, replica or model. */
export function isName(text: string): boolean {
  return text.length <= 64 && NAME.test(text);
}

/** A host_id of a host that runs pool-managerd. */
export function isHostId(text: string): boolean {
  return text.length <= 32 && HOST_ID.test(text);
}

/** Whether a client's X-Correlation-Id is echoed; otherwise one is made for the request. */
export function isCorrelationId(text: string): boolean {
  return text.length <= 128 && VISIBLE_ASCII.test(text);
}

export function isIdempotencyKey(text: string): boolean {
  return text.length <= 255 && VISIBLE_ASCII.test(text);
}

/**
 * The event id in a Last-Event-ID header, or undefined when it is not one. No event has an id that a
 * double cannot hold: whoever names one is behind all of them.
 */
export function parseEventId(text: string): number | undefined {
  return EVENT_ID.test(text) ? Math.min(Number(text), Number.MAX_SAFE_INTEGER) : undefined;
}
