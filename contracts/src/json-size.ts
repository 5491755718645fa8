/** Measures parsed JSON without recursion, so that hostile depth cannot exhaust the stack. */

/** Whether `value` and everything inside it are at most `limit` values; stops counting beyond it. */
export function hasAtMostValues(value: unknown, limit: number): boolean {
  const pending = [value];
  let seen = 0;
  while (pending.length > 0) {
    seen += 1;
    if (seen + pending.length - 1 > limit) return false;
    const next = pending.pop();
    if (typeof next !== 'object' || next === null) continue;
    for (const child of Array.isArray(next) ? (next as unknown[]) : Object.values(next)) {
      pending.push(child);
      if (seen + pending.length > limit) return false;
    }
  }
  return true;
}

/** Whether objects and arrays nest at most `limit` deep; a bare `{}` is one deep. */
export function nestsAtMost(value: unknown, limit: number): boolean {
  let level = [value].filter(isContainer);
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth === limit) return false;
    level = level.flatMap((container) => Object.values(container)).filter(isContainer);
  }
  return true;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
