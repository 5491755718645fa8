import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  TaskLog,
  isToken,
  tokenText,
  type ControlEntry,
  type LogEntry,
} from '../tasks/task-log.ts';
import { followLog, replayArchivedLog } from './sse-reader.ts';

/** A response whose socket accepts `room` writes before it is full; `drain` makes room again. */
class FakeResponse extends EventEmitter {
  text = '';
  ended = false;
  destroyed = false;
  room: number;

  constructor(room = Infinity) {
    super();
    this.room = room;
  }
  write(text: string): boolean {
    if (this.ended) throw new Error('write after end');
    this.text += text;
    this.room -= 1;
    return this.room > 0;
  }
  end(): void {
    this.ended = true;
  }
  drain(room: number): void {
    this.room = room;
    this.emit('drain');
  }
  get asResponse(): ServerResponse {
    return this as unknown as ServerResponse;
  }
}

interface Frame {
  readonly id: number;
  readonly event: string;
  readonly data: unknown;
}

function frames(text: string): Frame[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '' && !block.startsWith(':'))
    .map((block) => {
      const [id = '', event = '', data = ''] = block.split('\n');
      return {
        id: Number(id.slice('id: '.length)),
        event: event.slice('event: '.length),
        data: JSON.parse(data.slice('data: '.length)) as unknown,
      };
    });
}

const HEARTBEAT_MS = 15_000;
const END = { event: 'end', data: '{"tokens_out":0,"decode_ms":0}' } as const;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function follow(res: FakeResponse, log: TaskLog, afterId = 0): { closed: boolean | undefined } {
  const result: { closed: boolean | undefined } = { closed: undefined };
  followLog(res.asResponse, log, {
    afterId,
    heartbeatMs: HEARTBEAT_MS,
    onClose: (complete) => (result.closed = complete),
  });
  return result;
}

const LOGPROBS = [{ token: 'a', logprob: -0.5, top: [{ token: 'b', logprob: -0.25 }] }];
const anyEntries = fc.array(
  fc.oneof(
    fc.string(),
    fc.record({ token: fc.string(), logprobs: fc.constant(LOGPROBS) }),
    fc.constant<LogEntry>({ event: 'metrics', data: '{"queue_depth":1}' }),
  ),
  { maxLength: 40 },
);

const anyEnd = fc.constantFrom<{ readonly entry: ControlEntry; readonly isCanceled: boolean }>(
  { entry: END, isCanceled: false },
  { entry: END, isCanceled: true },
  { entry: { event: 'error', data: '{"code":"WORKER_RESET"}' }, isCanceled: false },
);

describe('following a live log', () => {
  test('OC-CTRL-2021 a reader gets exactly what comes after its id, with dense ids and token indexes', () => {
    fc.assert(
      fc.property(anyEntries, anyEntries, fc.nat(80), (before, later, after) => {
        const log = new TaskLog({ durableFirst: false, restored: before });
        const res = new FakeResponse();
        const afterId = Math.min(after, before.length + later.length + 1);
        follow(res, log, afterId);
        for (const entry of later) {
          if (isToken(entry)) log.appendTokens([entry]);
          else log.append(entry);
        }
        log.seal(END);
        const all = [...before, ...later, END];
        let tokens = 0;
        const expected = all.map((entry, at): Frame => {
          const id = at + 1;
          if (!isToken(entry)) {
            return { id, event: entry.event, data: JSON.parse(entry.data) as unknown };
          }
          tokens += 1;
          const data = { t: tokenText(entry), i: tokens - 1 };
          const logprobs = typeof entry === 'string' ? {} : { logprobs: entry.logprobs };
          return { id, event: 'token', data: { ...data, ...logprobs } };
        });
        expect(frames(res.text)).toEqual(expected.slice(afterId));
        expect(res.ended).toBe(true);
      }),
    );
  });

  test('OC-CTRL-2022 a reader whose socket is full is written to only when it drains, and loses nothing', () => {
    const log = new TaskLog({ durableFirst: false });
    const res = new FakeResponse(1);
    follow(res, log);
    log.appendTokens(['a']);
    log.appendTokens(['b']);
    log.appendTokens(['c']);
    expect(frames(res.text)).toHaveLength(1);
    res.drain(2);
    expect(frames(res.text)).toHaveLength(3);
  });

  test('OC-CTRL-2012 after a cancel a slow reader is sent no token it had not been sent', () => {
    const log = new TaskLog({ durableFirst: false });
    const res = new FakeResponse(1);
    const result = follow(res, log);
    log.appendTokens(['a']);
    log.appendTokens(['b', 'c']);
    log.suppressTokens();
    log.seal(END);
    res.drain(Infinity);
    expect(frames(res.text).map((frame) => [frame.event, frame.id])).toEqual([
      ['token', 1],
      ['end', 4],
    ]);
    expect(result.closed).toBe(true);
  });

  test('OC-CTRL-2023 only an idle stream carries comments', () => {
    const log = new TaskLog({ durableFirst: false });
    const res = new FakeResponse();
    follow(res, log);
    vi.advanceTimersByTime(2 * HEARTBEAT_MS);
    expect(res.text).toBe(': keep-alive\n\n');
    log.appendTokens(['a']);
    vi.advanceTimersByTime(HEARTBEAT_MS);
    expect(res.text.match(/keep-alive/g)).toHaveLength(1);
  });

  test('OC-CTRL-2021 a reader ahead of a task that runs again waits for what it has not seen', () => {
    const log = new TaskLog({ durableFirst: false, restored: ['a'] });
    const res = new FakeResponse();
    follow(res, log, 3);
    log.appendTokens(['b']);
    log.appendTokens(['c', 'd']);
    expect(frames(res.text)).toEqual([{ id: 4, event: 'token', data: { t: 'd', i: 3 } }]);
  });

  test('a reader that had seen the end already gets a closed, empty stream', () => {
    const log = new TaskLog({ durableFirst: false });
    log.seal(END);
    const res = new FakeResponse();
    const result = follow(res, log, 1);
    expect(res.text).toBe('');
    expect(result.closed).toBe(true);
  });

  test('a reader past the end of a task that ended early is told how it ended', () => {
    const log = new TaskLog({ durableFirst: false, restored: ['a'] });
    const res = new FakeResponse();
    const result = follow(res, log, 9);
    log.seal({ event: 'error', data: '{"code":"WORKER_RESET"}' });
    expect(frames(res.text)).toEqual([{ id: 2, event: 'error', data: { code: 'WORKER_RESET' } }]);
    expect(result.closed).toBe(true);
  });

  test('OC-CTRL-2096 a reader whose last token has the number of an early end is told how it ended', () => {
    const failed = new TaskLog({ durableFirst: false, restored: ['a'] });
    const res = new FakeResponse();
    follow(res, failed, 2);
    failed.seal({ event: 'error', data: '{"code":"WORKER_RESET"}' });
    expect(frames(res.text)).toEqual([{ id: 2, event: 'error', data: { code: 'WORKER_RESET' } }]);

    const canceled = new TaskLog({ durableFirst: false, restored: ['a'] });
    canceled.suppressTokens();
    canceled.seal(END);
    const later = new FakeResponse();
    const result = follow(later, canceled, 2);
    expect(frames(later.text).map(({ id, event }) => [id, event])).toEqual([[2, 'end']]);
    expect(result.closed).toBe(true);
  });

  test('a reader that leaves is let go of once', () => {
    const log = new TaskLog({ durableFirst: false });
    const res = new FakeResponse();
    const result = follow(res, log);
    res.emit('close');
    log.appendTokens(['a']);
    expect(res.text).toBe('');
    expect(result.closed).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('replaying an archived log', () => {
  test('gives what following the live log gave, from any id', async () => {
    await fc.assert(
      fc.asyncProperty(anyEntries, fc.nat(50), anyEnd, async (entries, afterId, end) => {
        const all: LogEntry[] = [...entries, end.entry];
        const live = new FakeResponse();
        const log = new TaskLog({ durableFirst: false, restored: entries });
        if (end.isCanceled) log.suppressTokens();
        log.seal(end.entry);
        follow(live, log, afterId);
        const replayed = new FakeResponse();
        const readPage = (after: number, limit: number) =>
          Promise.resolve(all.slice(after, after + limit));
        await replayArchivedLog(replayed.asResponse, readPage, afterId, end.isCanceled);
        expect(replayed.text).toBe(live.text);
        expect(replayed.ended).toBe(true);
      }),
    );
  });

  test('OC-CTRL-2012 a canceled task is replayed without its tokens', async () => {
    const all: LogEntry[] = [{ event: 'started', data: '{}' }, 'a', 'b', END];
    const res = new FakeResponse();
    const readPage = (after: number) => Promise.resolve(all.slice(after));
    await replayArchivedLog(res.asResponse, readPage, 0, true);
    expect(frames(res.text).map((frame) => frame.event)).toEqual(['started', 'end']);
  });

  test('a reader that is full is waited for before the next page is read', async () => {
    const all: LogEntry[] = [...Array.from({ length: 5_000 }, () => 'x'), END];
    const res = new FakeResponse(1);
    let pages = 0;
    const readPage = (after: number, limit: number) => {
      pages += 1;
      return Promise.resolve(all.slice(after, after + limit));
    };
    const replayed = replayArchivedLog(res.asResponse, readPage, 0, false);
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
    expect(pages).toBe(1);
    res.drain(Infinity);
    await replayed;
    expect(frames(res.text)).toHaveLength(5_001);
    expect(res.ended).toBe(true);
  });

  test('a reader that leaves while it is full is read for no more', async () => {
    const res = new FakeResponse(1);
    let pages = 0;
    const readPage = (_after: number, limit: number) => {
      pages += 1;
      return Promise.resolve(Array.from({ length: limit }, () => 'x'));
    };
    const replayed = replayArchivedLog(res.asResponse, readPage, 0, false);
    await vi.advanceTimersByTimeAsync(0);
    res.destroyed = true;
    res.emit('close');
    await replayed;
    expect(pages).toBe(1);
    expect(res.listenerCount('drain') + res.listenerCount('close')).toBe(0);
  });
});
