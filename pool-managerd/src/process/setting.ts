/** One value that flags or the environment lay over the configuration file. */
import { jsonPointer, type ConfigLeaves } from '@llama-orch/contracts';

/** Text that is a number of a JSON type. */
const NUMERIC: Readonly<Record<string, RegExp>> = {
  integer: /^-?[0-9]{1,15}$/,
  number: /^-?[0-9]{1,15}(\.[0-9]{1,15})?$/,
};

export interface Setting {
  /** Keys and indices from the root of the configuration. */
  readonly keys: readonly (string | number)[];
  readonly value: unknown;
  /** What the operator wrote, for messages: `--port`, `LLAMA_ORCH_PORT`. */
  readonly source: string;
}

/**
 * Reads `text` as the leaf at `keys` wants it, or returns undefined when the configuration has no
 * such leaf. Text that does not fit its type stays text: the schema refuses it with its path.
 */
export function settingFromText(
  leaves: ConfigLeaves,
  keys: readonly (string | number)[],
  text: string,
  source: string,
): Setting | undefined {
  const type = leaves[jsonPointer(...keys.map((k) => (typeof k === 'number' ? '*' : k)))];
  if (type === undefined) return undefined;
  return { keys, value: valueOf(type, text), source };
}

function valueOf(type: string, text: string): string | number | boolean {
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return NUMERIC[type]?.test(text) === true ? Number(text) : text;
}

/**
 * Writes a setting into a tree of plain objects and arrays, making what is missing on the way. Where
 * the tree holds something else than a container, it stays, for the schema to refuse.
 */
export function applySetting(tree: Record<string, unknown>, { keys, value }: Setting): void {
  let node: unknown = tree;
  for (const [depth, key] of keys.entries()) {
    if (typeof node !== 'object' || node === null) return;
    const container = node as Record<string | number, unknown>;
    if (depth === keys.length - 1) container[key] = value;
    else node = container[key] ??= typeof keys[depth + 1] === 'number' ? [] : {};
  }
}
