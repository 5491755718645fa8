/** The values of tables in features: what a cell means, and whether something is what a cell expects. */
import { isDeepStrictEqual } from 'node:util';
import { API_VERSION } from '@llama-orch/contracts';

/** The JSON text of a cell: what is JSON stands as it is, digit for digit; anything else is a text. */
export function jsonOfCell(cell: string): string {
  try {
    JSON.parse(cell);
    return cell;
  } catch {
    return JSON.stringify(cell);
  }
}

/**
 * Whether a value is what a cell expects: `any`, `absent`, `any or none`, `> 3`, `≥ 3`, `0 to 1` (both included), `/a
 * pattern/`, `the version of the contract`, or else the value itself, as JSON or as a text.
 */
export function isExpected(actual: unknown, cell: string): boolean {
  if (cell === 'any or none') return true;
  if (cell === 'absent') return actual === undefined;
  if (actual === undefined) return false;
  if (cell === 'any') return true;
  if (cell === 'the version of the contract') return actual === API_VERSION;
  const [, pattern] = /^\/(.*)\/$/.exec(cell) ?? [];
  if (pattern !== undefined) return typeof actual === 'string' && new RegExp(pattern).test(actual);
  const [, above] = /^> (\d+)$/.exec(cell) ?? [];
  if (above !== undefined) return typeof actual === 'number' && actual > Number(above);
  const [, least] = /^≥ (\d+)$/.exec(cell) ?? [];
  if (least !== undefined) return typeof actual === 'number' && actual >= Number(least);
  const [, from, to] = /^(\d+) to (\d+)$/.exec(cell) ?? [];
  if (from !== undefined) {
    return typeof actual === 'number' && actual >= Number(from) && actual <= Number(to);
  }
  return isDeepStrictEqual(actual, JSON.parse(jsonOfCell(cell)));
}

/** The value at a path such as `engines.0.engine`; undefined where there is none. */
export function valueAt(value: unknown, path: string): unknown {
  let found = value;
  for (const name of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name))
      return undefined;
    found = (found as Readonly<Record<string, unknown>>)[name];
  }
  return found;
}

/** @throws Error naming every path whose value is not what its cell expects */
export function expectFields(value: unknown, expected: readonly (readonly string[])[]): void {
  const wrong = expected.flatMap(([path = '', cell = '']) => {
    const actual = valueAt(value, path);
    return isExpected(actual, cell) ? [] : [`${path} is ${JSON.stringify(actual)}, not ${cell}`];
  });
  if (wrong.length > 0) throw new Error(`${wrong.join('; ')} in ${JSON.stringify(value)}`);
}
