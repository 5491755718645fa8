/**
 * Checks on what was learned and comes back from a snapshot: it may be damaged, or written by a release
 * that learned otherwise. What does not pass is left unused, so predictions never start from nonsense.
 */

/** The fields of an object, none of anything else: each is still to be checked. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : {};
}

export function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most;
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && isWithin(value, 0, Infinity);
}

/** Exactly `length` numbers within the bounds. */
export function areWithin(
  values: unknown,
  length: number,
  least: number,
  most: number,
): values is readonly number[] {
  if (!Array.isArray(values) || values.length !== length) return false;
  return values.every((value) => isWithin(value, least, most));
}
