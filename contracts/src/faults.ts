/**
 * Turns what a compiled validator found into faults a client can act on: one per place, naming the
 * place itself (the unknown field, the missing field) and never repeating what the client sent there.
 */
import type { ErrorObject } from 'ajv';

import type { FaultDetail } from './errors.ts';
import { OrchError } from './errors.ts';

/** As many as an envelope may list (`details` in openapi/data.yaml). */
const MAX_DETAILS = 32;
/** Unknown field names come from the client and may be of any length. */
const MAX_PATH_CHARS = 256;

/** What to say where the schema only knows "no": matched as a part of ajv's `schemaPath`. */
export interface RefusalMessage {
  readonly at: string;
  readonly message: string;
}

/** A JSON pointer (RFC 6901). */
export function jsonPointer(...segments: readonly (string | number)[]): string {
  return segments.map((s) => `/${escapeSegment(String(s))}`).join('');
}

/** At least one fault, whatever was found. */
export function toFaults(
  errors: readonly ErrorObject[],
  refusals: readonly RefusalMessage[] = [],
): readonly FaultDetail[] {
  const byPath = new Map<string, string>();
  for (const error of errors) {
    if (byPath.size === MAX_DETAILS) break;
    if (isPartOfAnother(error)) continue;
    const path = pathOf(error);
    if (!byPath.has(path)) byPath.set(path, messageOf(error, refusals));
  }
  if (byPath.size === 0) byPath.set('', 'is not valid');
  return [...byPath].map(([path, message]) => ({ path: shorten(path), message }));
}

/** The error for a request at fault; the message names the first place and counts the others. */
export function invalidParams(what: string, details: readonly FaultDetail[]): OrchError {
  const [first] = details;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  const where = first ? `: ${first.path === '' ? 'it' : first.path} ${first.message}${more}` : '';
  return new OrchError('INVALID_PARAMS', `${what} is not valid${where}.`, { details });
}

/** Branches of an if or oneOf, and the parts of a refused property name: their parent says it all. */
function isPartOfAnother(error: ErrorObject): boolean {
  return (
    error.keyword === 'if' ||
    error.schemaPath.includes('/oneOf/') ||
    (error.propertyName !== undefined && error.keyword !== 'propertyNames')
  );
}

function pathOf({ keyword, instancePath, params }: ErrorObject): string {
  const { missingProperty, additionalProperty, propertyName } = params as Record<string, unknown>;
  const key = {
    required: missingProperty,
    additionalProperties: additionalProperty,
    propertyNames: propertyName,
  }[keyword];
  return typeof key === 'string' ? `${instancePath}/${escapeSegment(key)}` : instancePath;
}

function messageOf(error: ErrorObject, refusals: readonly RefusalMessage[]): string {
  const refusal = refusals.find(({ at }) => error.schemaPath.includes(at));
  const params = error.params as Record<string, unknown>;
  const limit = String(params['limit']);
  switch (error.keyword) {
    case 'required':
      return 'is required';
    case 'additionalProperties':
      return 'is not a known field';
    case 'type':
      return `must be ${[params['type']].flat().map(articled).join(' or ')}`;
    case 'enum':
      return `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`;
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `must be at most ${limit}`;
    case 'minLength':
      return limit === '1' ? 'must not be empty' : `must have at least ${limit} characters`;
    case 'maxLength':
      return `must have at most ${limit} characters`;
    case 'minItems':
      return limit === '1' ? 'must not be empty' : `must have at least ${limit} entries`;
    case 'maxItems':
    case 'maxProperties':
      return `must have at most ${limit} entries`;
    case 'pattern':
      return (
        PATTERN_WORDS.get(String(params['pattern'])) ?? `must match ${String(params['pattern'])}`
      );
    case 'propertyNames':
      return 'is not an allowed name';
    default:
      return refusal?.message ?? error.message ?? 'is not valid';
  }
}

const PATTERN_WORDS: ReadonlyMap<string, string> = new Map([
  [
    '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$',
    'must be a UUID',
  ],
  [
    '^[A-Za-z0-9][A-Za-z0-9._-]*$',
    'must be letters, digits, dots, dashes and underscores, led by a letter or digit',
  ],
]);

function articled(type: unknown): string {
  if (type === 'boolean') return 'true or false';
  const name = String(type);
  return `${/^[aeio]/.test(name) ? 'an' : 'a'} ${name}`;
}

function escapeSegment(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1');
}

function shorten(path: string): string {
  return path.length <= MAX_PATH_CHARS ? path : `${path.slice(0, MAX_PATH_CHARS - 1)}…`;
}
