/** What readers are shown while a commit hangs, and after the daemon died of it. */
import { existsSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expectedPieces } from '../engines/kit/vocabulary.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import { waitFor } from '../src/wait-for.ts';
import { ChaosClient } from './chaos-client.ts';
import { openStage } from './stage.ts';

const FIRST_OUTPUT = 60;
const OUTPUT = 400;
const SENT_MEANWHILE = 50;

test('OC-CTRL-2095 nothing is shown of a task whose dispatch is not durable, so a crash repeats no index', async () => {
  await using stage = await openStage({
    sim: { slots: 1 },
    pool: { slots: 1 },
    preload: { module: 'slow-commit.ts', variable: 'CHAOS_COMMIT_FILE' },
  });
  const { daemon, sim, orders } = stage;
  const taskOf = (prompt: string, maxTokens: number) =>
    new ChaosClient(daemon.client, {
      ...{ prompt, prompt_format: 'raw', seed: 1, max_tokens: maxTokens, determinism: 'strict' },
    });
  const first = taskOf('first', FIRST_OUTPUT);
  const second = taskOf('second', OUTPUT);
  await first.post();
  // Accepted and durable, and it waits: the end of the first is what dispatches it.
  await second.post();
  expect(second.admission).toBe('accepted');
  writeFileSync(orders, 'hold');
  await waitFor('a commit that hangs', () => existsSync(`${orders}.held`));

  let shown: number | undefined;
  await second.follow(async (stream) => {
    await waitFor(
      'output of the second task',
      () => sim.stats.completions > 1 && sim.stats.tokensSent >= FIRST_OUTPUT + SENT_MEANWHILE,
    );
    // An answer to a later question has overtaken nothing: all that was sent before it is here.
    await daemon.client.call('getLiveness');
    shown = stream.events.length;
    await daemon.kill9();
  });
  expect(shown).toBe(0);
  writeFileSync(orders, '0');
  await daemon.restart();
  await second.follow();
  expect(checkWholeStream(second.events)).toBe(expectedPieces('second', 1, OUTPUT).join(''));
});
