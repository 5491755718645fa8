/** What llama-server says of itself and of its load. */
import { failureOf } from '@llama-orch/worker-adapters/conformance';
import { expect, test } from 'vitest';
import { TINY_HAIKU } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';
import { generate, LONG_WORK, requestOf } from './completion.ts';
import { CTX, serve, serveAll, SLOTS, untilIdle } from './server-fixture.ts';

const all = serveAll();

test('OC-ADAPT-5011 props: the version of the build, slots, context of one slot, template', async () => {
  const props = await all.adapter.props();
  expect(props).toMatchObject({
    modelAlias: 'tiny-haiku',
    modelPath: TINY_HAIKU,
    slots: SLOTS,
    ctx: CTX,
    chat: 'template',
    exactPrefixReuse: false,
  });
  expect(props.engineVersion).toMatch(/^b\d+-[0-9a-f]{7,}$/);
});

test('metrics: what runs, what waits, how much KV is held', async () => {
  await using own = await serve({ ctx: 2_048 });
  expect(await own.adapter.metrics()).toEqual({ running: 0, waiting: 0, kvUsage: 0 });
  const abort = new AbortController();
  const long = requestOf({}, { grammar: LONG_WORK });
  const gate = Promise.withResolvers<void>();
  const running = failureOf(
    generate(own.adapter, long, { signal: abort.signal, onPieces: () => gate.resolve() }),
  );
  await gate.promise;
  const waiting = failureOf(generate(own.adapter, long, { signal: abort.signal }));
  const busy = await waitFor('one to run and one to wait', async () => {
    const metrics = await own.adapter.metrics();
    return metrics.waiting === 1 && metrics;
  });
  expect(busy.running).toBe(1);
  abort.abort(new Error('seen enough'));
  await Promise.all([running, waiting]);
  await untilIdle(own.server);
  const after = await own.adapter.metrics();
  expect(after).toMatchObject({ running: 0, waiting: 0 });
  // The slot keeps the canceled prefix.
  expect(after.kvUsage).toBeGreaterThan(0);
  expect(after.kvUsage).toBeLessThanOrEqual(1);
});
