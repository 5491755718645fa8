/**
 * Log entries as SSE frames. Framing is part of the contract (OC-CTRL-2020): `id`, `event`, `data`, blank line.
 */
import { isToken, type LogEntry, type TokenEntry } from '../tasks/task-log.ts';

/** A comment line: keeps proxies and clients from giving up on an idle stream. */
export const HEARTBEAT_FRAME = ': keep-alive\n\n';

/** @param tokenIndex the 0-based index `i` when the entry is a token */
export function toFrame(id: number, entry: LogEntry, tokenIndex: number): string {
  return isToken(entry)
    ? `id: ${id}\nevent: token\ndata: ${tokenData(entry, tokenIndex)}\n\n`
    : `id: ${id}\nevent: ${entry.event}\ndata: ${entry.data}\n\n`;
}

function tokenData(entry: TokenEntry, index: number): string {
  return typeof entry === 'string'
    ? `{"t":${JSON.stringify(entry)},"i":${index}}`
    : `{"t":${JSON.stringify(entry.token)},"i":${index},"logprobs":${JSON.stringify(entry.logprobs)}}`;
}

export function isTerminal(entry: LogEntry): boolean {
  return !isToken(entry) && (entry.event === 'end' || entry.event === 'error');
}
