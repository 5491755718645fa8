/** Hundreds of readers that stop reading, under load: they cost no memory, and each gets all of it later. */
import { expectedPieces } from '../../engines/kit/vocabulary.ts';
import { createRandom } from '../../sim/seeded-random.ts';
import { parseMetrics, sumOf } from '../../src/metrics-text.ts';
import { ChaosClient } from '../chaos-client.ts';
import { LazyReader } from '../lazy-reader.ts';
import { residentBytesOf } from '../process-figures.ts';
import { observationOf } from '../rest.ts';
import type { Scenario } from '../scenario.ts';
import { loadOf, openStage } from '../stage.ts';
import { runUnderLoad } from '../under-load.ts';
import { onlyResets } from '../verdict.ts';

const READERS_A_TASK = 2;
const MOST_READERS = 300;
/**
 * With probabilities a token is the better part of a kilobyte: the system's buffers hold a part of so many
 * only, and the daemon does see that its readers stall.
 */
const LOGPROBS = 20;
const LONG_OUTPUT = 6_000;
const CTX = 16_384;
/**
 * What the daemon may hold for one reader, and besides: garbage of the streams that it framed, in pages that a
 * collector keeps. To hold for each reader what it has not read would take half a gigabyte for a hundred.
 */
const PER_READER_BYTES = 256 * 1_024;
const SLACK_BYTES = 256 * 2 ** 20;
/** A collector that has the machine's memory before it lets garbage lie, and nobody could tell it from what is held. */
const HEAP_LIMIT = '--max-old-space-size=160';
const VANISHING_SHARE = 0.75;
const ENDS_WITHIN_MS = 180_000;

export const slowReaders: Scenario = {
  name: 'slow-readers',
  about: 'lets hundreds of readers stop reading; some come back, most never do',
  tasks: { short: 50, long: 1_000 },
  async run({ seed, tasks, onEvent }) {
    await using stage = await openStage({
      pool: { ctx: CTX, timeouts: { wall_ms: 600_000 } },
      sim: { ctx: CTX, tokenDelayMs: 1 },
      daemon: { env: { NODE_OPTIONS: HEAP_LIMIT } },
    });
    const { daemon } = stage;
    const random = createRandom(seed, -1);
    return await runUnderLoad({
      daemon,
      load: loadOf(seed, tasks),
      allowed: onlyResets,
      memorySlackBytes: SLACK_BYTES,
      disturb: async (_load, { violations, observations, figures }) => {
        const before = residentBytesOf(daemon.pid);
        const prompt = 'A long one.';
        const long = new ChaosClient(daemon.client, {
          ...{ prompt, prompt_format: 'raw', seed: 1, max_tokens: LONG_OUTPUT },
          ...{ logprobs: LOGPROBS, determinism: 'strict' },
        });
        await long.post();
        const count = Math.min(MOST_READERS, tasks * READERS_A_TASK);
        const path = `${daemon.url}/v1/tasks/${long.task.task_id}/stream`;
        const readers = await Promise.all(
          Array.from({ length: count }, () => LazyReader.open(path)),
        );
        onEvent?.(`${count} readers take nothing`);
        // Neither the engine nor one who does read notices anything of them.
        await daemon.client.untilEnded(long.task.task_id, ENDS_WITHIN_MS);
        await long.follow();
        observations.push(await observationOf(daemon, long, prompt, LONG_OUTPUT));
        const grown = residentBytesOf(daemon.pid) - before;
        if (grown > SLACK_BYTES + count * PER_READER_BYTES) {
          violations.push(`${count} stalled readers take ${Math.round(grown / 2 ** 20)} MiB`);
        }
        const { text } = await daemon.client.send('GET', '/metrics');
        const held = sumOf(parseMetrics(text), 'sse_streams_open');
        if (held < count) violations.push(`only ${held} readers were held up: too short a stream`);

        const expected = expectedPieces(prompt, 1, LONG_OUTPUT).join('');
        const isBack = readers.map(() => random.next() >= VANISHING_SHARE);
        for (const [n, reader] of readers.entries()) if (isBack[n] !== true) reader.leave();
        const wrongs = await Promise.all(
          readers.filter((_, n) => isBack[n]).map((reader) => reader.readAll(expected)),
        );
        for (const wrong of wrongs) if (wrong !== undefined) violations.push(`a reader: ${wrong}`);
        figures.push(
          ['readers that stalled', count],
          ['  of them came back', isBack.filter(Boolean).length],
          ['memory they took', `${Math.round(grown / 2 ** 20)} MiB`],
        );
      },
    });
  },
};
