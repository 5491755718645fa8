/** What a chaos run found, as a table for people. */
import { formatColumns } from '../src/text-table.ts';

export interface ChaosReport {
  readonly rounds: number;
  readonly seed: number;
  /** Tasks that were answered 202 or 200, by how they ended. */
  readonly accepted: number;
  readonly completed: number;
  /** best_effort tasks that ended with WORKER_RESET, which their contract allows. */
  readonly reset: number;
  /** POSTs without an answer: the daemon died first. */
  readonly unanswered: number;
  /** Of those, how many were found admitted after the restart. */
  readonly admittedUnanswered: number;
  readonly refused: number;
  /** Streams that were cut in the middle and gone on with. */
  readonly resumed: number;
  readonly tokens: number;
  /** Restart to ready, ms. */
  readonly slowestStartMs: number;
  /** One line each; empty is success. */
  readonly violations: readonly string[];
}

const SHOWN = 20;

export function formatReport(report: ChaosReport): string {
  const rows: readonly (readonly [string, number])[] = [
    ['kill -9 rounds', report.rounds],
    ['seed of the kill moments', report.seed],
    ['tasks accepted', report.accepted],
    ['  completed, right bytes', report.completed],
    ['  best_effort, WORKER_RESET', report.reset],
    ['POSTs refused (429, 503)', report.refused],
    ['POSTs cut off without an answer', report.unanswered],
    ['  found admitted afterwards', report.admittedUnanswered],
    ['streams resumed after a cut', report.resumed],
    ['tokens received', report.tokens],
    ['slowest restart, ms', Math.round(report.slowestStartMs)],
    ['violations', report.violations.length],
  ];
  const shown = report.violations.slice(0, SHOWN).map((line) => `  ! ${line}`);
  return [formatColumns(rows.map((row) => row.map(String))), ...shown].join('\n');
}
