import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchNumbers, EVENTS_PER_BATCH } from './crash-batches.ts';
import { collect } from './ledger-suite.ts';
import { openLedger } from './open-ledger.ts';
import { temporaryPath } from './temporary-ledger.ts';

const WRITER = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
const ROUNDS = Number(process.env['LEDGER_CRASH_ROUNDS'] ?? 6);

/** Runs the writer on `path` and kills it once it acknowledged `killAfter` batches. Returns all it acknowledged. */
async function writeUntilKilled(path: string, killAfter: number): Promise<readonly number[]> {
  const writer = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(writer, 'exit');
  const acknowledged: number[] = [];
  for await (const line of createInterface({ input: writer.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === 1) {
      await expect(openLedger({ path, busyTimeoutMs: 0 })).rejects.toMatchObject({
        code: 'locked',
      });
    }
    if (acknowledged.length === killAfter) writer.kill('SIGKILL');
  }
  const [, signal] = (await exited) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return acknowledged;
}

test('OC-LEDGER-2201 OC-LEDGER-2202 kill -9 loses no acknowledged batch and leaves no partial one', async () => {
  const killPoint = fc.integer({ min: 1, max: 3_000 });
  await fc.assert(
    fc.asyncProperty(fc.array(killPoint, { minLength: 3, maxLength: 3 }), async (killPoints) => {
      await using file = await temporaryPath();
      const acknowledged: number[] = [];
      for (const killAfter of killPoints) {
        acknowledged.push(...(await writeUntilKilled(file.path, killAfter)));
        await using ledger = await openLedger({ path: file.path });
        const stored = batchNumbers(await collect((await ledger.recover()).events));
        const count = stored.length / EVENTS_PER_BATCH;
        // Every restart goes on at the first number not stored, so the whole is 0, 1, 2, … without a gap.
        expect(stored).toEqual(stored.map((_, index) => Math.floor(index / EVENTS_PER_BATCH)));
        expect(Number.isInteger(count)).toBe(true);
        expect(acknowledged.filter((number) => number >= count)).toEqual([]);
        expect(await ledger.readTranscript(`task-${count - 1}`, 0, 10)).toHaveLength(1);
        expect(await ledger.readTranscript(`task-${count}`, 0, 10)).toEqual([]);
      }
    }),
    { numRuns: Math.ceil(ROUNDS / 3), endOnFailure: true },
  );
}, 120_000);
