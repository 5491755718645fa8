import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDaemonOverSim, type DaemonOverSim } from '../../src/daemon-over-sim.ts';
import { parseCommandLine, type LedgerOptions } from '../cli-options.ts';
import { TraceError } from '../trace-files.ts';
import { copyLedger } from './ledger-copy.ts';
import { toTrace } from './ledger-trace.ts';
import { readLedger } from './recorded-tasks.ts';
import { askLedger, formatAnswer } from './what-if.ts';

const TASKS = 24;
const SLOTS = 2;
const TOKENS = 8;
const TOKEN_DELAY_MS = 5;
const SHARED = 'Every prompt of these begins with the same long words of introduction. '.repeat(60);

let over: DaemonOverSim;

beforeAll(async () => {
  over = await startDaemonOverSim({
    sim: { slots: SLOTS, tokens: TOKENS, tokenDelayMs: TOKEN_DELAY_MS, ctx: 16_384 },
    pool: { ctx: 16_384, slots: SLOTS },
  });
  const { client } = over.daemon;
  const admitted = await Promise.all(
    Array.from({ length: TASKS }, (_, index) =>
      client.admit({
        prompt: `${SHARED}Task ${index}`,
        max_tokens: 32,
        priority: index % 4 === 0 ? 'batch' : 'interactive',
        ...(index % 3 === 0 ? { deadline_ms: 60_000, deadline_for: 'first_token' } : {}),
      }),
    ),
  );
  const canceled = await client.admit({ prompt: 'never mind' });
  await client.cancel(canceled.task_id);
  for (const { task_id: taskId } of [...admitted, canceled]) await client.untilEnded(taskId);
});
afterAll(async () => {
  await over[Symbol.asyncDispose]();
});

function options(...args: readonly string[]): LedgerOptions {
  const parsed = parseCommandLine(['--ledger', over.daemon.dataDir, ...args]);
  if (parsed.kind !== 'ledger') throw new Error(parsed.kind);
  return parsed;
}

test('OC-SIM-7220 what a running daemon recorded is read without disturbing it', async () => {
  const files = readdirSync(over.daemon.dataDir);
  const reading = readLedger(over.daemon.dataDir);
  expect(readdirSync(over.daemon.dataDir)).toEqual(files);
  expect(reading.tasks).toHaveLength(TASKS);
  expect(Object.fromEntries(reading.unusable)).toEqual({ canceled: 1 });
  for (const task of reading.tasks) {
    expect(task.usage.tokensOut).toBe(TOKENS);
    expect(task.dispatchedAtMs).toBeGreaterThanOrEqual(task.acceptedAtMs);
    expect(task.firstTokenAtMs).toBeGreaterThanOrEqual(task.dispatchedAtMs);
    expect(task.endedAtMs).toBeGreaterThanOrEqual(task.firstTokenAtMs);
  }
  const stream = await over.daemon.client.run({ prompt: 'still there?' });
  expect(stream.tokens).toHaveLength(TOKENS);
});

test('OC-SIM-7220 a copy made while the daemon writes is whole, private, and gone afterwards', async () => {
  const { client, dataDir } = over.daemon;
  const folders: string[] = [];
  const admitted: Promise<unknown>[] = [];
  let seen = 0;
  for (let round = 0; round < 8; round += 1) {
    admitted.push(client.admit({ prompt: `round ${round}`, max_tokens: 2 }));
    await setImmediate();
    using copy = copyLedger(dataDir);
    folders.push(dirname(copy.path));
    expect(statSync(dirname(copy.path)).mode & 0o077).toBe(0);
    const db = new DatabaseSync(copy.path);
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    const events = Number(db.prepare('SELECT count(*) AS n FROM events').get()?.['n']);
    db.close();
    expect(events).toBeGreaterThanOrEqual(seen);
    seen = events;
  }
  await Promise.all(admitted);
  expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
});

test('OC-SIM-7221 a recorded task keeps its arrival, lengths, class, deadline and prefix', () => {
  const { tasks } = readLedger(over.daemon.dataDir);
  const trace = toTrace(tasks.slice(0, TASKS));
  expect(trace[0]?.arrivalMs).toBe(0);
  expect(trace.filter(({ priority }) => priority === 'batch')).toHaveLength(TASKS / 4);
  const slos = trace.flatMap(({ ttftSloMs }) => ttftSloMs ?? []);
  expect(slos).toHaveLength(TASKS / 3);
  for (const sloMs of slos) expect(Math.abs(sloMs - 60_000)).toBeLessThan(1_000);
  const [first, second] = trace;
  expect(first?.promptTokens).toBe(tasks[0]?.usage.tokensIn);
  expect(first?.blocks.length).toBeGreaterThan(0);
  expect(second?.blocks[0]).toBe(first?.blocks[0]);
});

test('OC-SIM-7222 the fit finds the engine, and more replicas shorten the queue', () => {
  const answer = askLedger(options());
  expect(answer).toMatchObject({ poolId: 'default', replicas: 1, slots: SLOTS, tooLarge: 0 });
  const { a0Ms, hostPerDecodeMs } = answer.constants;
  const stepMs = a0Ms + SLOTS * hostPerDecodeMs;
  // Timers of a loaded machine are late, never early.
  expect(stepMs).toBeGreaterThan(0.8 * TOKEN_DELAY_MS);
  const [same, more, most] = answer.whatIfs.filter(({ policy }) => policy === 'llama-orch');
  expect([same, more, most].map((row) => row?.replicas)).toEqual([1, 2, 3]);
  expect(same?.queueP95).toBeGreaterThan(more?.queueP95 ?? NaN);
  expect(more?.queueP95).toBeGreaterThan(most?.queueP95 ?? NaN);
  const report = formatAnswer(answer);
  expect(report).toContain(`${answer.usable} tasks usable; left out: 1 canceled`);
  expect(report).not.toMatch(/NaN|undefined/);
  expect(report).not.toContain('introduction');
});

test('given constants are used as they are', () => {
  const answer = askLedger(options('--model', 'h100-8b', '--replicas', '3', '--slots', '1'));
  expect(answer).toMatchObject({ constants: { name: 'h100-8b' }, replicas: 3, slots: 1 });
  expect(new Set(answer.whatIfs.map(({ replicas }) => replicas))).toEqual(new Set([2, 3, 4, 5]));
});

test('a pool that has no tasks, and a folder without a ledger, are refused with their names', () => {
  expect(() => askLedger(options('--pool', 'other'))).toThrow('no tasks of a pool other');
  const folder = mkdtempSync(join(tmpdir(), 'no-ledger-'));
  try {
    expect(() => readLedger(folder)).toThrow(`${folder} holds no ledger.db`);
    writeFileSync(join(folder, 'ledger.db'), 'not a database at all, only some text');
    expect(() => readLedger(folder)).toThrow(TraceError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
