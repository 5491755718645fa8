import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  MAX_UNPERSISTED,
  TaskLog,
  parseLogEntry,
  tokenText,
  type ControlEntry,
  type LogEntry,
  type TokenEntry,
} from './task-log.ts';

const METRICS: ControlEntry = { event: 'metrics', data: '{}' };
const END: ControlEntry = { event: 'end', data: '{}' };

const text = fc.string({ unit: 'grapheme' });
const alternative = {
  token: text,
  logprob: fc.double({ max: -1e-9, noNaN: true, noDefaultInfinity: true }),
};
const anyToken: fc.Arbitrary<TokenEntry> = fc.oneof(
  text,
  fc.record({
    token: text,
    logprobs: fc.array(
      fc.record({ ...alternative, top: fc.array(fc.record(alternative), { maxLength: 3 }) }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
);

describe('a strict task', () => {
  test('shows tokens at once, before they are durable', () => {
    const log = new TaskLog({ durableFirst: false });
    log.appendTokens(['a', 'b']);
    expect(log.visible).toBe(2);
  });

  test('ORCH-3100 shows what depends on time only once it is durable, and what follows waits with it', () => {
    const log = new TaskLog({ durableFirst: false });
    log.appendTokens(['a']);
    const show = log.hold();
    log.append(METRICS);
    log.appendTokens(['b']);
    expect(log.visible).toBe(1);
    show();
    expect(log.visible).toBe(3);
  });

  test('overlapping holds are lifted by the last one, and releasing one twice counts once', () => {
    const log = new TaskLog({ durableFirst: false });
    const first = log.hold();
    log.append(METRICS);
    const second = log.hold();
    log.seal(END);
    first();
    first();
    expect(log.visible).toBe(0);
    second();
    expect(log.visible).toBe(2);
  });
});

describe('a best-effort task', () => {
  test('shows nothing that is not durable', () => {
    const log = new TaskLog({ durableFirst: true });
    log.appendTokens(['a', 'b', 'c']);
    expect(log.visible).toBe(0);
    log.markPersisted(2);
    expect(log.visible).toBe(2);
  });
});

test('nothing is appended after the last entry', () => {
  const log = new TaskLog({ durableFirst: false });
  log.seal(END);
  log.appendTokens(['late']);
  log.append(METRICS);
  log.seal({ event: 'error', data: '{}' });
  expect(log.length).toBe(1);
  expect(log.tokens).toBe(0);
});

test('listeners hear of what became visible, once per change, until they unsubscribe', () => {
  const log = new TaskLog({ durableFirst: false });
  const heard = vi.fn();
  const unsubscribe = log.subscribe(heard);
  log.appendTokens(['a', 'b']);
  expect(heard).toHaveBeenCalledTimes(1);
  unsubscribe();
  log.appendTokens(['c']);
  expect(heard).toHaveBeenCalledTimes(1);
});

test('unflushed entries are handed over once, with the ids that follow on', () => {
  const log = new TaskLog({ durableFirst: false });
  log.append({ event: 'started', data: '{"x":1}' });
  log.appendTokens(['a']);
  expect(log.takeUnflushed()).toEqual({
    firstId: 1,
    entries: ['{"event":"started","data":"{\\"x\\":1}"}', '"a"'],
  });
  expect(log.takeUnflushed()).toBeUndefined();
  log.appendTokens(['b']);
  expect(log.takeUnflushed()).toEqual({ firstId: 3, entries: ['"b"'] });
});

test('holds the engine back while too much is not durable', async () => {
  const log = new TaskLog({ durableFirst: false });
  log.appendTokens(Array.from({ length: MAX_UNPERSISTED }, () => 'x'));
  expect(log.saturated).toBe(true);
  let freed = false;
  const waiting = log.desaturated().then(() => (freed = true));
  await Promise.resolve();
  expect(freed).toBe(false);
  log.markPersisted(1);
  await waiting;
  expect(log.saturated).toBe(false);
});

test('a restored log keeps its numbers quiet until no earlier life can have shown a token there', () => {
  const log = new TaskLog({ durableFirst: false, restored: ['a', 'b'] });
  expect(log.visible).toBe(2);
  expect(log.mayCarryMetrics).toBe(false);
  log.appendTokens(Array.from({ length: MAX_UNPERSISTED }, () => 'x'));
  expect(log.mayCarryMetrics).toBe(false);
  log.appendTokens(['y']);
  expect(log.mayCarryMetrics).toBe(true);
});

test('entries survive the ledger as they were', () => {
  fc.assert(
    fc.property(anyToken, (token) => {
      const log = new TaskLog({ durableFirst: false });
      log.appendTokens([token]);
      const [entry = ''] = log.takeUnflushed()?.entries ?? [];
      expect(parseLogEntry(entry)).toEqual(token);
    }),
  );
});

test('text, token counts and token indexes agree for any mix of entries', () => {
  const entry = fc.oneof(anyToken, fc.constant<LogEntry>(METRICS));
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const log = new TaskLog({ durableFirst: false, restored: entries });
      const tokens = entries.filter((each): each is TokenEntry => each !== METRICS);
      expect(log.tokens).toBe(tokens.length);
      expect(log.text()).toBe(tokens.map(tokenText).join(''));
      expect(log.tokensBefore(entries.length)).toBe(tokens.length);
    }),
  );
});
