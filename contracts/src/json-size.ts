/** Measures parsed JSON without recursion, so that hostile depth cannot exhaust the stack. */

/** Whether `value` and everything inside it are at most `limit` values; stops counting beyond it. */
export function hasAtMostValues(value: unknown, limit: number): boolean {
  const pending = [value];
  let seen = 1;
  while (pending.length > 0 && seen <= limit) {
    const next = pending.pop();
    if (!isContainer(next)) continue;
    for (const child of Object.values(next)) {
      seen += 1;
      if (seen > limit) return false;
      pending.push(child);
    }
  }
  return seen <= limit;
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

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
