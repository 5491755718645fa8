import { invalid } from './body-fields.ts';
import type { ConstraintSource } from './token-model.ts';

/**
 * llama.cpp parses and follows grammars by recursion, without a bound of its own: a deeply nested one
 * overflows the stack and takes the process with it. These bounds leave room for any real grammar.
 */
const MAX_CHARS = 64 * 1024;
const MAX_DEPTH = 64;

/** @throws HttpFault `invalid_request_error` when the grammar or schema is too large or too deep. */
export function checkConstraintLimits(source: ConstraintSource): void {
  const name = source.kind === 'grammar' ? 'grammar' : 'json_schema';
  const depth = source.kind === 'grammar' ? gbnfDepth(source.gbnf) : jsonDepth(source.schema);
  if (depth > MAX_DEPTH) throw invalid(`Field '${name}': nested more than ${MAX_DEPTH} deep`);
  const text = source.kind === 'grammar' ? source.gbnf : JSON.stringify(source.schema);
  if (text.length > MAX_CHARS) throw invalid(`Field '${name}': more than ${MAX_CHARS} characters`);
}

/** What closes a literal, a character set and a comment; parentheses inside nest nothing. */
const CLOSER: Readonly<Record<string, string>> = { '"': '"', '[': ']', '#': '\n' };

function gbnfDepth(gbnf: string): number {
  let depth = 0;
  let deepest = 0;
  let closer: string | undefined;
  for (let at = 0; at < gbnf.length; at += 1) {
    const char = gbnf.charAt(at);
    if (closer !== undefined) {
      if (char === '\\' && closer !== '\n') at += 1;
      else if (char === closer) closer = undefined;
      continue;
    }
    closer = CLOSER[char];
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** Level by level, so that depth costs no stack; stops once it is too deep. */
function jsonDepth(value: object): number {
  let level: object[] = [value];
  let depth = 0;
  while (level.length > 0 && depth <= MAX_DEPTH) {
    depth += 1;
    level = level.flatMap((node) => Object.values(node) as unknown[]).filter(isObject);
  }
  return depth;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
