/** The traces and fleets that the targets speak of, whole or cut to a slice. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Slo } from '../summary.ts';
import { readTraceFile, TraceError } from '../trace-files.ts';
import { sliceTrace, speedUp, type Trace } from '../trace.ts';
import { DEFAULT_SCENARIO, type Scenario } from '../world.ts';

export const TRACE_FILES = {
  mooncake: 'mooncake_conversation.jsonl',
  conversation: 'azure2023_conv.csv',
  code: 'azure2023_code.csv',
  arena: 'vtc_arena_27clients.csv',
  arxiv: 'arxiv_summarization_lengths.csv',
} as const;
export type TraceName = keyof typeof TRACE_FILES;

export const MOONCAKE_FLEET: Scenario = { ...DEFAULT_SCENARIO, replicas: 8, cacheTokens: 3e6 };
export const AZURE_FLEET: Scenario = { ...DEFAULT_SCENARIO, replicas: 4 };
/** Small enough that tenants get into each other's way. */
export const ARENA_FLEET: Scenario = {
  ...DEFAULT_SCENARIO,
  replicas: 1,
  slots: 32,
  kvTokens: 35_000,
};

export const MOONCAKE_SLO: Slo = { ttftMs: 5_000, tpotMs: 100 };
export const AZURE_SLO: Slo = { ttftMs: 1_000, tpotMs: 50 };

/** Part of every trace, by row: from and up to these shares of it. */
export interface Slice {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

export const WHOLE: Slice = { name: 'whole', from: 0, to: 1 };
/** Consecutive rows only: in their order lies the reuse of prefixes. */
export const SLICES: readonly Slice[] = [
  { name: 'first half', from: 0, to: 1 / 2 },
  { name: 'second half', from: 1 / 2, to: 1 },
  { name: 'first third', from: 0, to: 1 / 3 },
  { name: 'middle third', from: 1 / 3, to: 2 / 3 },
  { name: 'last third', from: 2 / 3, to: 1 },
];

export interface TraceFolder {
  /** @param speed the rows so many times as fast */
  load(name: TraceName, speed: number, slice?: Slice): Trace;
}

/**
 * Reads each file once, when it is first asked for.
 * @throws TraceError when the folder lacks one of the files
 */
export function openTraceFolder(directory: string): TraceFolder {
  for (const file of Object.values(TRACE_FILES)) {
    if (!existsSync(join(directory, file))) throw new TraceError(`${directory} has no ${file}`);
  }
  const read = new Map<TraceName, Trace>();
  return {
    load(name, speed, slice = WHOLE) {
      const trace = read.get(name) ?? readTraceFile(join(directory, TRACE_FILES[name])).trace;
      read.set(name, trace);
      const row = (share: number) => Math.round(share * trace.length);
      return speedUp(sliceTrace(trace, row(slice.from), row(slice.to)), speed);
    },
  };
}
