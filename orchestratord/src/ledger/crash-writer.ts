/**
 * The process that the crash test kills: `node crash-writer.ts PATH`. It writes numbered batches as
 * fast as it can, from the first number not stored yet, and prints each number once it is durable.
 */
import { crashBatch, EVENTS_PER_BATCH } from './crash-batches.ts';
import { openLedger } from './open-ledger.ts';

const path = process.argv[2];
if (path === undefined) throw new Error('usage: crash-writer.ts PATH');
const ledger = await openLedger({ path });
let next = ledger.lastSeq / EVENTS_PER_BATCH;

async function writeForever(): Promise<never> {
  for (;;) {
    const number = next++;
    await ledger.write(crashBatch(number));
    process.stdout.write(`${number}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, writeForever));
