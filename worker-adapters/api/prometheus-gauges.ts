import { EngineError } from './types.ts';
import type { EngineName } from './types.ts';

/** One line of a Prometheus exposition: a series of a metric, and its value. */
export interface Sample {
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

const LABEL = /\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?/y;
const ESCAPE = /\\(.)/g;

/**
 * The series of one metric in a text exposition (Prometheus 0.0.4 and OpenMetrics). The name must be
 * the whole name: `x` does not match `x_total`. A series whose value is no finite number is left out.
 */
export function samplesOf(exposition: string, name: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of exposition.split('\n')) {
    if (!line.startsWith(name)) continue;
    const next = line.charAt(name.length);
    if (next !== '{' && next !== ' ' && next !== '\t') continue;
    const { labels, end } = readLabels(line, name.length);
    const [value = ''] = line.slice(end).trim().split(/\s+/, 1);
    if (value !== '' && Number.isFinite(Number(value))) {
      samples.push({ labels, value: Number(value) });
    }
  }
  return samples;
}

/** The sum over all series of a metric; undefined, and not 0, where it has none. */
export function gaugeOf(exposition: string, name: string): number | undefined {
  const samples = samplesOf(exposition, name);
  if (samples.length === 0) return undefined;
  return samples.reduce((sum, { value }) => sum + value, 0);
}

/** The same where the engine must have it. @throws EngineError `garbage` when it has not */
export function requiredGauge(engine: EngineName, exposition: string, name: string): number {
  const value = gaugeOf(exposition, name);
  if (value === undefined) throw new EngineError('garbage', engine, `/metrics has no ${name}`);
  return value;
}

/** @returns the labels of `{…}` at `start`, if any, and where the value begins */
function readLabels(line: string, start: number) {
  const labels = new Map<string, string>();
  if (line.charAt(start) !== '{') return { labels, end: start };
  LABEL.lastIndex = start + 1;
  let end = LABEL.lastIndex;
  for (let found = LABEL.exec(line); found !== null; found = LABEL.exec(line)) {
    const [, key = '', value = ''] = found;
    labels.set(key, value.replace(ESCAPE, characterOf));
    end = LABEL.lastIndex;
  }
  return { labels, end: line.indexOf('}', end) + 1 };
}

function characterOf(_escape: string, character: string): string {
  return character === 'n' ? '\n' : character;
}
