/**
 * Engines that die, hang, speak garbage or are slow (ORCH-3016, ORCH-3051). Two simulators behind one
 * pool; `sims[n]` is told to misbehave.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SimFault } from '../engines/kit/faults.ts';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, untilGone, type DaemonProcess } from '../src/daemon-process.ts';
import { taskIdOf, type EventStream } from '../src/event-stream.ts';
import type { ProcessEntry } from '../src/process-table.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { embeddedPool, externalPool, simulatorPool } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

const WALL_MS = 6_000;
const IDLE_MS = 800;
/** What the daemon may need beyond a watchdog's time on a busy machine, ms. */
const MARGIN_MS = 2_000;
const TIMEOUTS = { wall_ms: WALL_MS, idle_ms: IDLE_MS, control_ms: 1_000, connect_ms: 500 };

/** `/healthz` answers all the time while `run` runs: nothing that an engine does or leaves undone holds it up. */
async function whileHealthy<T>(daemon: DaemonProcess, run: () => Promise<T>): Promise<T> {
  let slowestMs = 0;
  const stop = new AbortController();
  const watch = (async () => {
    while (!stop.signal.aborted) {
      const askedMs = performance.now();
      await daemon.client.call('getLiveness');
      slowestMs = Math.max(slowestMs, performance.now() - askedMs);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  try {
    return await run();
  } finally {
    stop.abort();
    await watch;
    expect(slowestMs).toBeLessThan(IDLE_MS + MARGIN_MS);
  }
}

describe('with simulators that run already', () => {
  let sims: LlamaCppSim[];
  let daemon: DaemonProcess;

  beforeAll(async () => {
    sims = await Promise.all([0, 1].map(() => startLlamaCppSim({ slots: 1, tokens: 40 })));
    daemon = await startDaemon({
      config: {
        pools: [
          externalPool(
            sims.map((sim) => sim.url),
            { timeouts: TIMEOUTS, replica_labels: [{ sim: '0' }, { sim: '1' }] },
          ),
        ],
      },
    });
  });
  afterAll(async () => {
    await daemon[Symbol.asyncDispose]();
    await Promise.all(sims.map((sim) => sim[Symbol.asyncDispose]()));
  });

  const undisturbed = async (prompt: string, seed: number): Promise<string> => {
    await untilSound();
    return checkWholeStream((await daemon.client.run({ prompt, seed })).events);
  };
  /** Waits until both simulators serve again and no fault is left that nobody has met. */
  const untilSound = async (): Promise<void> => {
    await waitFor('two sound replicas', async () => {
      await daemon.client.untilReady(2);
      const runs = await Promise.all(
        ['0', '1'].map((sim) =>
          daemon.client.run({ prompt: 'sound?', placement: { labels: { sim } } }),
        ),
      );
      const tasks = await Promise.all(runs.map((each) => daemon.client.task(taskIdOf(each))));
      return tasks.every((task) => task.attempts === 1 && task.state === 'completed');
    });
  };
  /** Both simulators fail once, so whichever is chosen does. */
  const failNext = (fault: SimFault, times = 1): void => {
    for (const sim of sims) sim.addFault(fault, times);
  };
  const faults: readonly SimFault[] = [
    { kind: 'cut', after_tokens: 7 },
    { kind: 'eof', after_tokens: 7 },
    { kind: 'garbage', after_tokens: 7 },
    { kind: 'error-in-stream', after_tokens: 7 },
    { kind: 'stall', after_tokens: 7 },
  ];

  test.each(faults)(
    'a strict task whose engine fails in mid-stream ($kind) goes on, on the same stream, with the same bytes',
    async (fault) => {
      const expected = await undisturbed(`strict ${fault.kind}`, 1);
      failNext(fault);
      const stream = await whileHealthy(daemon, () =>
        daemon.client.run({ prompt: `strict ${fault.kind}`, seed: 1 }),
      );
      expect(checkWholeStream(stream.events)).toBe(expected);
      const task = await daemon.client.task(taskIdOf(stream));
      expect(task.state).toBe('completed');
      expect(task.attempts).toBeGreaterThan(1);
    },
  );

  test.each(faults)(
    'a best_effort task whose engine fails behind its first output ($kind) ends with a typed error',
    async (fault) => {
      await untilSound();
      failNext(fault);
      const startedMs = performance.now();
      const stream = await whileHealthy(daemon, () =>
        daemon.client.run({ prompt: `loose ${fault.kind}`, determinism: 'best_effort' }),
      );
      checkWholeStream(stream.events);
      expect(stream.tokens).toHaveLength(7);
      const code = fault.kind === 'stall' ? 'DECODE_TIMEOUT' : 'WORKER_RESET';
      expect(stream.terminal).toMatchObject({ event: 'error', data: { code, engine: 'llamacpp' } });
      expect(performance.now() - startedMs).toBeLessThan(IDLE_MS + MARGIN_MS);
      expect(await daemon.client.task(taskIdOf(stream))).toMatchObject({
        state: 'failed',
        error: { code },
      });
    },
  );

  test('a best_effort task that failed before any output is run elsewhere', async () => {
    await untilSound();
    for (const sim of sims) sim.addFault({ kind: 'cut', after_tokens: 0 });
    const stream = await daemon.client.run({ prompt: 'not yet', determinism: 'best_effort' });
    checkWholeStream(stream.events);
    expect(stream.terminal?.event).toBe('end');
  });

  test('ORCH-3016 an engine that accepts and never answers: the task runs elsewhere', async () => {
    const expected = await undisturbed('hang', 2);
    failNext({ kind: 'hang' });
    const stream = await whileHealthy(daemon, () => daemon.client.run({ prompt: 'hang', seed: 2 }));
    expect(checkWholeStream(stream.events)).toBe(expected);
  });

  test('started_at_ms of a task that ran twice is its last dispatch, as its contract says', async () => {
    await untilSound();
    failNext({ kind: 'hang' });
    const stream = await daemon.client.run({ prompt: 'twice' });
    const task = await daemon.client.task(taskIdOf(stream));
    expect(task.attempts).toBeGreaterThan(1);
    expect((task.started_at_ms ?? 0) - task.accepted_at_ms).toBeGreaterThanOrEqual(IDLE_MS);
  });

  test('ORCH-3016 a first token slower than the idle watchdog: the task runs elsewhere', async () => {
    const expected = await undisturbed('slow', 3);
    failNext({ kind: 'slow-first', ms: 60_000 });
    const stream = await whileHealthy(daemon, () => daemon.client.run({ prompt: 'slow', seed: 3 }));
    expect(checkWholeStream(stream.events)).toBe(expected);
  });

  test('a first token within the idle watchdog is waited for', async () => {
    await untilSound();
    failNext({ kind: 'slow-first', ms: IDLE_MS / 2 });
    const stream = await daemon.client.run({ prompt: 'patience' });
    checkWholeStream(stream.events);
    expect((await daemon.client.task(taskIdOf(stream))).attempts).toBe(1);
  });

  test('engines that fail every time: the task ends with a typed error, and nothing runs on', async () => {
    await untilSound();
    failNext({ kind: 'cut', after_tokens: 3 }, 3);
    const startedMs = performance.now();
    const stream = await whileHealthy(daemon, () =>
      daemon.client.run({ prompt: 'never', seed: 4 }),
    );
    checkWholeStream(stream.events);
    expect(stream.terminal).toMatchObject({ event: 'error', data: { code: 'WORKER_RESET' } });
    expect(stream.tokens).toHaveLength(3);
    expect(performance.now() - startedMs).toBeLessThan(WALL_MS + MARGIN_MS);
    await untilSound();
  });

  test('an engine that refuses a request for good ends its task, and stays in service', async () => {
    await untilSound();
    failNext({
      kind: 'http',
      status: 400,
      type: 'invalid_request_error',
      message: 'no such grammar',
    });
    const stream = await daemon.client.run({ prompt: 'refused' });
    expect(stream.terminal?.event).toBe('error');
    const health = await daemon.client.poolHealth();
    expect(health.replicas.every((replica) => replica.state === 'ready')).toBe(true);
  });

  test('ORCH-3016 a task that never gets done ends with DECODE_TIMEOUT at the wall', async () => {
    await using endless = await startLlamaCppSim({ slots: 1, tokens: 100_000, tokenDelayMs: 50 });
    await using other = await startDaemon({
      config: {
        pools: [externalPool([endless.url], { timeouts: { ...TIMEOUTS, wall_ms: 1_000 } })],
      },
    });
    await other.client.untilReady(1);
    const startedMs = performance.now();
    const stream = await other.client.run({ prompt: 'endless' });
    checkWholeStream(stream.events);
    expect(stream.terminal).toMatchObject({ event: 'error', data: { code: 'DECODE_TIMEOUT' } });
    expect(performance.now() - startedMs).toBeLessThan(1_000 + MARGIN_MS);
    await waitFor('the slot to be free', () => endless.stats.busySlots === 0);
  });
});

/** The engine processes of a daemon: its children but the guard. */
function enginesOf(daemon: DaemonProcess): readonly ProcessEntry[] {
  return daemon.children().filter(({ command }) => /simulator|llamacpp.*main\.ts/.test(command));
}

const streamsOf = (daemon: DaemonProcess, count: number) =>
  Promise.all(
    Array.from({ length: count }, (_, n) =>
      daemon.client.postStream({ prompt: `task ${n}`, seed: n }),
    ),
  );

async function untilFlowing(streams: readonly EventStream[]): Promise<void> {
  await Promise.all(streams.map((each) => each.until('tokens', () => each.tokens.length > 2)));
}

describe('with simulators that the daemon runs', () => {
  let daemon: DaemonProcess;
  let expected: readonly string[];

  beforeAll(async () => {
    daemon = await startDaemon({
      config: {
        pools: [
          simulatorPool(['--tokens', '150', '--token-delay-ms', '5'], { timeouts: TIMEOUTS }),
        ],
      },
    });
    await daemon.client.untilReady(2);
    const streams = await streamsOf(daemon, 2);
    await Promise.all(streams.map((each) => each.toEnd()));
    expected = streams.map((each) => checkWholeStream(each.events));
  });
  afterAll(async () => {
    await daemon[Symbol.asyncDispose]();
  });

  test.each(['SIGKILL', 'SIGSTOP', 'SIGSEGV'] as const)(
    'an engine hit by %s: its task goes on elsewhere and it is replaced',
    async (signal) => {
      await daemon.client.untilReady(2);
      const [victim] = enginesOf(daemon);
      const before = enginesOf(daemon).map(({ pid }) => pid);
      const streams = await streamsOf(daemon, 2);
      await untilFlowing(streams);
      await whileHealthy(daemon, async () => {
        process.kill(victim?.pid ?? 0, signal);
        await Promise.all(streams.map((each) => each.toEnd()));
      });
      expect(streams.map((each) => each.terminal)).toMatchObject([
        { event: 'end' },
        { event: 'end' },
      ]);
      expect(streams.map((each) => checkWholeStream(each.events))).toEqual(expected);
      await daemon.client.untilReady(2);
      const after = enginesOf(daemon).map(({ pid }) => pid);
      expect(after).toHaveLength(2);
      expect(after).not.toContain(victim?.pid);
      expect(before).toContain(victim?.pid);
    },
  );

  test('kill -9 of the daemon leaves no engine behind, a stopped one neither', async () => {
    await daemon.client.untilReady(2);
    const children = daemon.children();
    const [stopped] = enginesOf(daemon);
    process.kill(stopped?.pid ?? 0, 'SIGSTOP');
    await daemon.kill9();
    await untilGone(children);
    await daemon.restart();
    await daemon.client.untilReady(2);
  });
});

describe('with the embedded engine', () => {
  test('a killed engine is replaced, and its task gives the same bytes', async () => {
    await using daemon = await startDaemon({
      config: { pools: [embeddedPool({ timeouts: TIMEOUTS })] },
    });
    await daemon.client.untilReady(2);
    const task = { prompt: 'Write a haiku about ice.', seed: 21 };
    const expected = (await daemon.client.run(task)).text;
    const [victim] = enginesOf(daemon);
    const running = Array.from({ length: 20 }, () => daemon.client.run(task));
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    for (const stream of await Promise.all(running)) {
      expect(checkWholeStream(stream.events)).toBe(expected);
    }
    await daemon.client.untilReady(2);
    const children = daemon.children();
    for (const { pid } of enginesOf(daemon)) process.kill(pid, 'SIGSTOP');
    await daemon.kill9();
    await untilGone(children);
  });
});
