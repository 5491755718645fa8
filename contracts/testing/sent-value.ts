/** JSON as a client may write it: integers that a double cannot hold are bigints. */
export type Sent = null | boolean | number | bigint | string | readonly Sent[] | SentObject;
export interface SentObject {
  readonly [key: string]: Sent;
}

/** `JSON.rawJSON` (ES2026 `JSON.parse` source text access): text that is written as it stands. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => object };

export function toJsonText(value: Sent): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'bigint' ? rawJSON(String(each)) : each,
  );
}

export function isSentObject(value: Sent | undefined): value is SentObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object with one field set; a field named `__proto__` is one like any other. */
export function withField(value: SentObject, name: string, field: Sent): SentObject {
  const copy = { ...value };
  Object.defineProperty(copy, name, {
    value: field,
    enumerable: true,
    configurable: true,
    writable: true,
  });
  return copy;
}

export function withoutField(value: SentObject, name: string): SentObject {
  const { [name]: _left, ...rest } = value;
  return rest;
}
