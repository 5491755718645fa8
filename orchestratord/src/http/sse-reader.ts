/**
 * Carries one task's log to one HTTP response, at the pace of its reader. The reader pulls: nothing
 * is buffered for it beyond one write, so a slow one costs a cursor and no memory, and the engine and
 * the other readers never notice it.
 */
import type { ServerResponse } from 'node:http';
import { isToken, type LogEntry, type TaskLog } from '../tasks/task-log.ts';
import { HEARTBEAT_FRAME, isTerminal, toFrame } from './sse-frames.ts';

/** Characters gathered into one socket write; small, so that a cancel finds little on its way out. */
const WRITE_CHARS = 32_768;

export interface SseReaderOptions {
  /** The id after which the reader wants to go on; 0 is from the start. */
  readonly afterId: number;
  /** Idle time after which a comment is sent, ms. */
  readonly heartbeatMs: number;
  /** The response is over: the log ended, or the client left (`complete` false). */
  readonly onClose: (complete: boolean) => void;
}

/** Sends the SSE response head. */
export function openEventStream(res: ServerResponse): void {
  res.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  res.flushHeaders();
}

/**
 * Follows a log that is in memory until its terminal entry has been written. The reader may be ahead of
 * the log: after a crash a task says again what its readers have seen, and they wait for what is new.
 */
export function followLog(res: ServerResponse, log: TaskLog, options: SseReaderOptions): void {
  let position = options.afterId;
  let tokenIndex: number | undefined;
  let blocked = false;
  let closed = false;
  let wroteSinceBeat = true;

  const close = (complete: boolean): void => {
    if (closed) return;
    closed = true;
    clearInterval(heartbeat);
    unsubscribe();
    options.onClose(complete);
  };

  const pump = (): void => {
    // The last entry sums up what went before, so even a reader that is past it is told.
    if (log.sealed && log.visible === log.length && !closed) {
      const isTold = hasSeen(position, log.length, log.entry(log.length - 1), log.tokensSuppressed);
      if (position >= log.length && !isTold) position = log.length - 1;
    }
    while (!blocked && !closed && position < log.visible) {
      tokenIndex ??= log.tokensBefore(position);
      let text = '';
      let ended = false;
      while (position < log.visible && text.length < WRITE_CHARS) {
        const entry = log.entry(position);
        if (entry === undefined) break;
        position += 1;
        if (isToken(entry)) {
          if (!log.tokensSuppressed) text += toFrame(position, entry, tokenIndex);
          tokenIndex += 1;
        } else {
          text += toFrame(position, entry, tokenIndex);
          ended = isTerminal(entry);
        }
      }
      if (text !== '') {
        wroteSinceBeat = true;
        blocked = !res.write(text);
      }
      if (ended) {
        res.end();
        close(true);
      }
    }
    // A reader that had seen the terminal entry already gets a closed, empty stream.
    if (!closed && log.sealed && position >= log.length) {
      res.end();
      close(true);
    }
  };

  const heartbeat = setInterval(() => {
    if (!wroteSinceBeat && !blocked) blocked = !res.write(HEARTBEAT_FRAME);
    wroteSinceBeat = false;
  }, options.heartbeatMs);
  heartbeat.unref();
  const unsubscribe = log.subscribe(pump);
  res.on('drain', () => {
    blocked = false;
    pump();
  });
  res.on('close', () => close(false));
  // The client may have left while its task was being admitted: then no 'close' is to come.
  if (res.closed || res.destroyed) close(false);
  else pump();
}

/**
 * Whether a reader was told the end, which is at `endId`. After a crash a task says again what was shown of
 * it before it was durable, and one that is canceled or fails meanwhile ends at a number that may have been a
 * token's: whoever has that number is told, for the second time perhaps.
 */
function hasSeen(
  afterId: number,
  endId: number,
  end: LogEntry | undefined,
  isCanceled: boolean,
): boolean {
  if (afterId !== endId || end === undefined || isToken(end)) return false;
  return !isCanceled && end.event === 'end';
}

/** A page of a finished task's log, as the ledger keeps it. */
export type ReadPage = (afterId: number, limit: number) => Promise<readonly LogEntry[]>;

const PAGE_ENTRIES = 512;

/**
 * Replays a finished task's log from the ledger, page by page, waiting for the socket in between.
 * @param suppressTokens the task was canceled: no `token` may leave the server any more
 */
export async function replayArchivedLog(
  res: ServerResponse,
  readPage: ReadPage,
  afterId: number,
  suppressTokens: boolean,
): Promise<void> {
  // Read from the start: the index of a token is the count of tokens before it.
  let id = 0;
  let tokenIndex = 0;
  while (!res.destroyed) {
    const page = await readPage(id, PAGE_ENTRIES);
    let text = '';
    for (const entry of page) {
      id += 1;
      const token = isToken(entry);
      const isNews =
        id > afterId || (isTerminal(entry) && !hasSeen(afterId, id, entry, suppressTokens));
      if (isNews && !(token && suppressTokens)) text += toFrame(id, entry, tokenIndex);
      if (token) tokenIndex += 1;
    }
    if (text !== '' && !res.write(text)) await drained(res);
    if (page.length < PAGE_ENTRIES) break;
  }
  res.end();
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.on('drain', done);
    res.on('close', done);
  });
}
