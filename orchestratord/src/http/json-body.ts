/**
 * A request body as JSON, or a typed refusal that says what is wrong with it. Express reads the bytes
 * (`express.raw`, with the size limit); this decides whether they are acceptable JSON.
 */
import { isUtf8 } from 'node:buffer';
import { OrchError } from '@llama-orch/contracts';
import type { Request } from 'express';

/** Deeper nesting than any schema of ours has; bounds recursion in everything that walks a body. */
export const MAX_JSON_DEPTH = 64;
/** Fields and items in all: a megabyte of tiny fields would hold everyone up for 0.2 s in the parser. */
export const MAX_JSON_MEMBERS = 16_384;

export interface ParsedBody {
  readonly value: unknown;
  /** The top-level `seed` exactly as written, when a JavaScript number cannot hold it. */
  readonly exactSeed: bigint | undefined;
}

/** @throws OrchError INVALID_PARAMS (400, or 415 for another content type) */
export function parseJsonBody(req: Request): ParsedBody {
  const type = req.headers['content-type'] ?? '';
  if (!isJsonType(type)) {
    throw new OrchError(
      'INVALID_PARAMS',
      type === '' ? 'the body needs content-type application/json' : `content-type is not JSON`,
      { status: 415, details: [{ path: 'header:content-type', message: 'use application/json' }] },
    );
  }
  const body: unknown = req.body;
  if (!Buffer.isBuffer(body) || body.length === 0) {
    throw invalid('the body is empty; a JSON object is expected');
  }
  return parseJsonBytes(body);
}

/** @throws OrchError INVALID_PARAMS */
export function parseJsonBytes(bytes: Buffer): ParsedBody {
  if (!isUtf8(bytes)) throw invalid('the body is not valid UTF-8');
  refuseExcess(bytes);
  const text = bytes.toString('utf8');
  try {
    return LONG_SEED.test(text)
      ? parseWithExactSeed(text)
      : { value: JSON.parse(text), exactSeed: undefined };
  } catch (error) {
    // The parser's message may quote the body; only the position is safe to repeat.
    throw invalid(`the body is not valid JSON${positionOf(error)}`);
  }
}

const LONG_SEED = /"seed"\s*:\s*-?\d{16,}/;

function isJsonType(type: string): boolean {
  const essence = type.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return essence === 'application/json' || /^application\/[\w.-]+\+json$/.test(essence);
}

/** `JSON.parse` with source access (ES2026 `JSON.parse` source text access). */
type SourceReviver = (
  this: unknown,
  key: string,
  value: unknown,
  context: { readonly source?: string },
) => unknown;

function parseWithExactSeed(text: string): ParsedBody {
  const seeds = new Map<unknown, bigint>();
  const reviver: SourceReviver = function (key, value, context) {
    if (key === 'seed' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      if (context.source !== undefined && /^-?\d+$/.test(context.source)) {
        seeds.set(this, BigInt(context.source));
      }
    }
    return value;
  };
  const value: unknown = JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
  return { value, exactSeed: seeds.get(value) };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/** One pass over the bytes, strings skipped, before the parser is let near them. @throws OrchError */
function refuseExcess(bytes: Buffer): void {
  let depth = 0;
  let members = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
    } else if (byte === COMMA) {
      members += 1;
      if (members > MAX_JSON_MEMBERS) {
        throw invalid(`the body has more than ${MAX_JSON_MEMBERS} fields and items`);
      }
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) {
        throw invalid(`the body nests deeper than ${MAX_JSON_DEPTH} levels`);
      }
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    }
  }
}

/** The index of the closing quote of the string that opens at `start`. */
function endOfString(bytes: Buffer, start: number): number {
  let quote = bytes.indexOf(QUOTE, start + 1);
  while (quote !== -1) {
    let slashes = 0;
    while (bytes[quote - 1 - slashes] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return quote;
    quote = bytes.indexOf(QUOTE, quote + 1);
  }
  return bytes.length;
}

function positionOf(error: unknown): string {
  const found = error instanceof Error ? /position (\d+)/.exec(error.message) : null;
  return found?.[1] === undefined ? '' : ` (at byte ${found[1]})`;
}

function invalid(message: string): OrchError {
  return new OrchError('INVALID_PARAMS', message, { details: [{ path: '', message }] });
}
