import { sha256 } from './stream-check.ts';

/** A UUID (version 4 in form) that is a function of a name: the same in every run. */
export function uuidOf(name: string): string {
  const hex = sha256(name);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
