/**
 * Readers for the published traces. They are read from a path and never committed; each file is
 * recognised by its columns, so it may have any name.
 */
import { readFileSync } from 'node:fs';
import type { Trace, TraceRequest } from './trace.ts';

/** A file is not a trace that can be played. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
}

export interface TraceFile {
  readonly trace: Trace;
  /** Rows left out because a token count was zero: failed calls in the source. */
  readonly dropped: number;
}

/**
 * Reads a trace file: Azure 2023, Mooncake, VTC arena, BurstGPT, Exgentic or arXiv lengths.
 * @throws TraceError when its columns are none of these, or it holds nothing
 * @throws Error with a `code` when it cannot be read
 */
export function readTraceFile(path: string): TraceFile {
  const lines = readFileSync(path, 'utf8')
    .split(/\r?\n/)
    .filter((line) => line !== '');
  const rows = path.endsWith('.jsonl') ? readMooncake(path, lines) : readCsv(path, lines);
  const kept = rows.filter((row) => row.promptTokens > 0 && row.outputTokens > 0);
  if (kept.length === 0) throw new TraceError(`${path} holds no requests`);
  const startMs = kept.reduce((least, row) => Math.min(least, row.arrivalMs), Infinity);
  const trace = kept
    .map((row) => ({ ...row, arrivalMs: row.arrivalMs - startMs }))
    .sort((a, b) => a.arrivalMs - b.arrivalMs);
  return { trace, dropped: rows.length - kept.length };
}

interface Shape {
  /** A column that only this source has. */
  readonly column: string;
  read(cell: (column: string) => string): TraceRequest;
}

const SHAPES: readonly Shape[] = [
  {
    column: 'ContextTokens',
    read: (cell) =>
      plain(azureMs(cell('TIMESTAMP')), cell('ContextTokens'), cell('GeneratedTokens')),
  },
  {
    column: 'arrival_s',
    read: (cell) => ({
      ...plain(Number(cell('arrival_s')) * 1000, cell('prompt_tokens'), cell('output_tokens')),
      tenant: cell('client'),
    }),
  },
  {
    column: 'Request tokens',
    read: (cell) =>
      plain(Number(cell('Timestamp')) * 1000, cell('Request tokens'), cell('Response tokens')),
  },
  {
    column: 'n_messages',
    read: (cell) => ({
      ...plain(Date.parse(cell('timestamp')), cell('prompt_tokens'), cell('completion_tokens')),
      tenant: cell('session'),
    }),
  },
  {
    column: 'num_prefill_tokens',
    read: (cell) => ({
      ...plain(0, cell('num_prefill_tokens'), cell('num_decode_tokens')),
      priority: 'batch',
    }),
  },
];

function readCsv(path: string, lines: readonly string[]): TraceRequest[] {
  const head = lines[0]?.split(',') ?? [];
  const shape = SHAPES.find(({ column }) => head.includes(column));
  if (shape === undefined) {
    throw new TraceError(`${path}: no known trace has the columns ${head.join(', ')}`);
  }
  const at = new Map(head.map((column, index) => [column, index]));
  return lines.slice(1).map((line) => {
    const cells = line.split(',');
    return shape.read((column) => cells[at.get(column) ?? -1] ?? '');
  });
}

function readMooncake(path: string, lines: readonly string[]): TraceRequest[] {
  return lines.map((line) => {
    const row = parseMooncakeRow(path, line);
    return { ...plain(row.timestamp, row.input_length, row.output_length), blocks: row.hash_ids };
  });
}

interface MooncakeRow {
  readonly timestamp: number;
  readonly input_length: number;
  readonly output_length: number;
  readonly hash_ids: readonly number[];
}

function parseMooncakeRow(path: string, line: string): MooncakeRow {
  try {
    const row = JSON.parse(line) as MooncakeRow;
    if (Array.isArray(row.hash_ids) && Number.isFinite(row.timestamp)) return row;
  } catch (cause) {
    throw new TraceError(`${path} holds a line that is not JSON`, { cause });
  }
  throw new TraceError(`${path} holds a line without timestamp and hash_ids`);
}

function plain(
  arrivalMs: number,
  promptTokens: string | number,
  outputTokens: string | number,
): TraceRequest {
  return {
    arrivalMs,
    promptTokens: Number(promptTokens),
    outputTokens: Number(outputTokens),
    blocks: [],
    tenant: 'default',
    priority: 'interactive',
    ttftSloMs: undefined,
    maxTokens: undefined,
  };
}

/** `2023-11-16 18:17:03.9799600`: a Date keeps only three of the seven decimals. */
function azureMs(timestamp: string): number {
  const [whole = '', fraction = '0'] = timestamp.split('.');
  return Date.parse(`${whole.replace(' ', 'T')}Z`) + Number(`0.${fraction}`) * 1000;
}
