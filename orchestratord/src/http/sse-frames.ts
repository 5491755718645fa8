/**
 * Log entries as SSE frames. Framing is part of the contract (OC-CTRL-2020): `id`, `event`, `data`, blank line.
 */
import type { LogEntry } from '../tasks/task-log.ts';

/** A comment line: keeps proxies and clients from giving up on an idle stream. */
export const HEARTBEAT_FRAME = ': keep-alive\n\n';

/** @param tokenIndex the 0-based index `i` when the entry is a token */
export function toFrame(id: number, entry: LogEntry, tokenIndex: number): string {
  return typeof entry === 'string'
    ? `id: ${id}\nevent: token\ndata: {"t":${JSON.stringify(entry)},"i":${tokenIndex}}\n\n`
    : `id: ${id}\nevent: ${entry.event}\ndata: ${entry.data}\n\n`;
}

export function isTerminal(entry: LogEntry): boolean {
  return typeof entry !== 'string' && (entry.event === 'end' || entry.event === 'error');
}
