/**
 * Reads what `node --cpu-prof` wrote (https://chromedevtools.github.io/devtools-protocol, type
 * Profiler.Profile): which functions the time of a phase went to.
 */
import { fileURLToPath } from 'node:url';

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly children?: readonly number[];
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  /** Microseconds on the machine's monotonic clock, as `process.hrtime` counts it. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A span on the same clock, µs. */
export interface Phase {
  readonly fromUs: number;
  readonly toUs: number;
}

export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

export interface FunctionTime {
  /** Name and place, relative to the project. */
  readonly label: string;
  /** Shares of the time the thread was not idle, 0..1: in the function itself, and with its callees. */
  readonly self: number;
  readonly total: number;
}

/** V8's name for waiting. */
const IDLE = '(idle)';
/** V8's name for the bottom of every stack. */
const ROOT = '(root)';

/**
 * What the thread did in the phases, the most self time first.
 * @param prefix left out of the labels' paths; ends in a slash
 */
export function functionTimes(
  profile: CpuProfile,
  phases: readonly Phase[],
  prefix: string,
): readonly FunctionTime[] {
  const stacks = stacksOf(profile, prefix);
  const times = new Map<string, { self: number; total: number }>();
  let busy = 0;
  let now = profile.startTime;
  for (const [index, nodeId] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index] ?? 0;
    now += delta;
    const stack = stacks.get(nodeId) ?? [];
    const isMeasured = phases.some(({ fromUs, toUs }) => now >= fromUs && now <= toUs);
    if (!isMeasured || stack[0] === IDLE) continue;
    busy += delta;
    for (const [depth, label] of stack.entries()) {
      const time = times.get(label) ?? { self: 0, total: 0 };
      if (depth === 0) time.self += delta;
      // A recursive function stands in its stack more than once and counts once.
      if (stack.indexOf(label) === depth) time.total += delta;
      times.set(label, time);
    }
  }
  return [...times]
    .map(([label, { self, total }]) => ({ label, self: self / busy, total: total / busy }))
    .sort((a, b) => b.self - a.self || (a.label < b.label ? -1 : 1));
}

/** Node id → labels of its stack, innermost first. */
function stacksOf(profile: CpuProfile, prefix: string): ReadonlyMap<number, readonly string[]> {
  const parents = new Map<number, number>();
  const labels = new Map<number, string>();
  for (const { id, callFrame, children = [] } of profile.nodes) {
    labels.set(id, labelOf(callFrame, prefix));
    for (const child of children) parents.set(child, id);
  }
  const stacks = new Map<number, readonly string[]>();
  for (const id of labels.keys()) {
    const stack: string[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const label = labels.get(at);
      if (label !== undefined && label !== ROOT) stack.push(label);
    }
    stacks.set(id, stack);
  }
  return stacks;
}

function labelOf(frame: CpuProfile['nodes'][number]['callFrame'], prefix: string): string {
  const name = frame.functionName === '' ? '(anonymous)' : frame.functionName;
  if (frame.url === '') return name;
  const path = frame.url.startsWith('file:') ? fileURLToPath(frame.url) : frame.url;
  const shown = path.startsWith(prefix) ? path.slice(prefix.length) : path;
  return `${name}  ${shown}:${frame.lineNumber + 1}`;
}
