import { HttpFault } from './http-fault.ts';

/** A JSON object from outside. `null` counts as absent everywhere, as in llama-server. */
export type Body = Readonly<Record<string, unknown>>;

/** @throws HttpFault `invalid_request_error` */
export function parseBody(json: unknown): Body {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalid('the request body must be a JSON object');
  }
  return json as Body;
}

export function invalid(message: string): HttpFault {
  return new HttpFault('invalid_request_error', message);
}

/** The first of `names` that is present. */
export function field(body: Body, ...names: readonly string[]): unknown {
  for (const name of names) {
    const value = body[name];
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}

/** @throws HttpFault when it is there and no number. JSON has no NaN or Infinity, but `1e999` is one. */
export function numberField(body: Body, name: string, fallback: number): number {
  const value = field(body, name) ?? fallback;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalid(`Field '${name}': type must be number`);
  }
  return value;
}

/** @throws HttpFault when it is there and no whole number in the range. */
export function integerField(
  body: Body,
  name: string,
  fallback: number,
  range: { readonly min: number; readonly max: number },
): number {
  const value = numberField(body, name, fallback);
  if (!Number.isInteger(value) || value < range.min || value > range.max) {
    throw invalid(`Field '${name}': must be an integer between ${range.min} and ${range.max}`);
  }
  return value;
}

/** @throws HttpFault when it is there and no boolean. */
export function booleanField(body: Body, name: string, fallback: boolean): boolean {
  const value = field(body, name) ?? fallback;
  if (typeof value !== 'boolean') throw invalid(`Field '${name}': type must be boolean`);
  return value;
}

/** @throws HttpFault when it is missing or no string. */
export function textField(body: Body, name: string): string {
  const value = field(body, name);
  if (typeof value !== 'string') throw invalid(`Field '${name}': type must be string`);
  return value;
}

/** @throws HttpFault when it is no list of ids below `vocabSize`. */
export function tokenList(value: unknown, name: string, vocabSize: number): number[] {
  if (!Array.isArray(value)) throw invalid(`Field '${name}': type must be array`);
  return value.map((id: unknown) => tokenId(id, name, vocabSize));
}

/** @throws HttpFault when it is no id below `vocabSize`. */
export function tokenId(value: unknown, name: string, vocabSize: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= vocabSize) {
    throw invalid(`Field '${name}': tokens must be integers between 0 and ${vocabSize - 1}`);
  }
  return value;
}
