/** A task's stream as its readers see it: cut off, late, many, slow, after the end, after a restart. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf, type TaskEvent } from '../src/event-stream.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { externalPool } from '../src/temp-config.ts';

/** Enough text to fill every buffer between the daemon and a reader that does not read. */
const LONG_TOKENS = 100_000;

let setUp: DaemonOverSim;
let daemon: DaemonProcess;
let sim: LlamaCppSim;

beforeAll(async () => {
  setUp = await startDaemonOverSim({
    sim: { slots: 8, ctx: 200_000, tokens: LONG_TOKENS, tokensPerWrite: 32 },
    pool: { ctx: 200_000, slots: 8 },
    config: { server: { heartbeat_ms: 100 } },
  });
  ({ daemon, sim } = setUp);
});
afterAll(() => setUp[Symbol.asyncDispose]());

const facts = (events: readonly TaskEvent[]) =>
  events.map(({ id, event, data }) => ({ id, event, data }));

describe('OC-CTRL-2020 resume', () => {
  test('from every cut point of an ended task, by Last-Event-ID and by ?after=', async () => {
    const whole = await daemon.client.run({ prompt: 'cut me', max_tokens: 30 });
    checkWholeStream(whole.events);
    const id = taskIdOf(whole);
    for (let after = 0; after <= whole.lastId; after += 1) {
      const byHeader = await daemon.client.stream(id, after);
      const byQuery = await daemon.client.streamAt(`/v1/tasks/${id}/stream?after=${after}`);
      await Promise.all([byHeader.ended, byQuery.ended]);
      const rest = facts(whole.events).filter((event) => event.id > after);
      expect(facts(byHeader.events)).toEqual(rest);
      expect(facts(byQuery.events)).toEqual(rest);
    }
  });

  test('Last-Event-ID wins over ?after=', async () => {
    const { task_id: id } = await daemon.client.admit({ prompt: 'both', max_tokens: 5 });
    await daemon.client.untilEnded(id);
    const stream = await daemon.client.streamAt(`/v1/tasks/${id}/stream?after=0`, {
      headers: { 'last-event-id': '4' },
    });
    await stream.toEnd();
    expect(stream.events[0]?.id).toBe(5);
  });

  test('a reader that has seen the end gets a stream without events', async () => {
    const whole = await daemon.client.run({ prompt: 'seen', max_tokens: 5 });
    const id = taskIdOf(whole);
    const stream = await daemon.client.stream(id, whole.lastId);
    expect(await stream.ended).toBe('closed');
    expect(stream.events).toEqual([]);
  });

  test('a reader that claims to be past the end is told the end, and no token', async () => {
    const { task_id: id } = await daemon.client.admit({ prompt: 'beyond', max_tokens: 5 });
    await daemon.client.untilEnded(id);
    const stream = await daemon.client.stream(id, 1_000_000);
    await stream.toEnd();
    expect(stream.events).toHaveLength(1);
  });

  test('a reader cut off again and again while the task runs misses and repeats nothing', async () => {
    const { task_id: id } = await daemon.client.admit({ prompt: 'again', max_tokens: 20_000 });
    const seen: TaskEvent[] = [];
    for (let cuts = 0; seen.at(-1)?.event !== 'end'; cuts += 1) {
      const stream = await daemon.client.stream(id, seen.at(-1)?.id);
      const enough = (cuts % 7) * 150 + 1;
      await stream.until(
        'some events',
        () => stream.events.length >= enough || stream.terminal !== undefined,
      );
      await stream.cut();
      seen.push(...stream.events);
      expect(cuts).toBeLessThan(1_000);
    }
    checkWholeStream(seen);
    expect(seen.filter((event) => event.event === 'token')).toHaveLength(20_000);
  });

  test('an id that is ahead of a running task shows nothing that comes before it', async () => {
    sim.addFault({ kind: 'slow-first', ms: 300 });
    const { task_id: id } = await daemon.client.admit({ prompt: 'ahead', max_tokens: 50 });
    const stream = await daemon.client.stream(id, 20);
    await stream.toEnd();
    expect(stream.events[0]?.id).toBe(21);
    expect(stream.tokens[0]?.data.i).toBe(19);
  });
});

test('OC-CTRL-2021 fifty readers, each joining when it likes, see the same events', async () => {
  const { task_id: id } = await daemon.client.admit({ prompt: 'crowd', max_tokens: 3_000 });
  const readers = await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      if (n > 25) await daemon.client.call('getLiveness');
      return daemon.client.stream(id);
    }),
  );
  await Promise.all(readers.map((reader) => reader.toEnd()));
  const [first] = readers;
  checkWholeStream(first?.events ?? []);
  for (const reader of readers) expect(facts(reader.events)).toEqual(facts(first?.events ?? []));
});

test('a reader that does not read slows nobody and still gets every token', async () => {
  const slow = await daemon.client.postStream({ prompt: 'long story', seed: 7 });
  await slow.until('the start', () => slow.events.length > 0);
  slow.pause();
  const id = taskIdOf(slow);
  const brisk = await daemon.client.stream(id);
  await brisk.toEnd(60_000);
  const text = checkWholeStream(brisk.events);
  const others = await Promise.all(
    Array.from({ length: 4 }, (_, n) =>
      daemon.client.run({ prompt: `other ${n}`, max_tokens: 100 }),
    ),
  );
  for (const other of others) checkWholeStream(other.events);
  expect(slow.terminal).toBeUndefined();
  slow.resume();
  await slow.toEnd(60_000);
  expect(checkWholeStream(slow.events)).toBe(text);
  expect(slow.tokens).toHaveLength(LONG_TOKENS);
}, 120_000);

test('OC-CTRL-2022 an idle stream carries comment lines', async () => {
  sim.addFault({ kind: 'slow-first', ms: 1_000 });
  const stream = await daemon.client.postStream({ prompt: 'wait for it', max_tokens: 3 });
  await stream.toEnd();
  expect(stream.comments).toBeGreaterThanOrEqual(3);
});

test('a long-running stream carries metrics about every second', async () => {
  await using slow = await startLlamaCppSim({ tokens: 250, tokenDelayMs: 10 });
  await using other = await startDaemon({ config: { pools: [externalPool([slow.url])] } });
  await other.client.untilReady(1);
  const stream = await other.client.run({ prompt: 'steady' });
  checkWholeStream(stream.events);
  expect(stream.events.filter((event) => event.event === 'metrics').length).toBeGreaterThanOrEqual(
    3,
  );
});

test('leaving a POST stream leaves the task running', async () => {
  sim.addFault({ kind: 'slow-first', ms: 300 });
  const stream = await daemon.client.postStream({ prompt: 'bye', max_tokens: 10 });
  const id = taskIdOf(stream);
  await stream.cut();
  expect((await daemon.client.untilEnded(id)).state).toBe('completed');
  const again = await daemon.client.stream(id);
  await again.toEnd();
  checkWholeStream(again.events);
});

test('OC-CTRL-2021 ended tasks replay byte for byte after a clean restart and after a kill', async () => {
  const before = new Map<string, readonly TaskEvent[]>();
  for (let n = 0; n < 5; n += 1) {
    const stream = await daemon.client.run({ prompt: `replay ${n}`, max_tokens: 500 });
    before.set(taskIdOf(stream), stream.events);
  }
  for (const stop of [() => daemon.terminate(), () => daemon.kill9()]) {
    await stop();
    await daemon.restart();
    for (const [id, events] of before) {
      const stream = await daemon.client.stream(id);
      await stream.toEnd();
      expect(facts(stream.events)).toEqual(facts(events));
    }
  }
});

test('OC-CTRL-2021 OC-CTRL-2070 a reader that saw tokens before a kill goes on behind them after it', async () => {
  await daemon.client.untilReady(1);
  const stream = await daemon.client.postStream({
    prompt: 'interrupted',
    seed: 3,
    max_tokens: 60_000,
  });
  const id = taskIdOf(stream);
  await stream.until('many tokens', () => stream.tokens.length > 2_000);
  await daemon.kill9();
  await stream.ended;
  await daemon.restart();
  const rest = await daemon.client.stream(id, stream.lastId);
  await rest.toEnd(60_000);
  checkWholeStream([...stream.events, ...rest.events]);
}, 90_000);
