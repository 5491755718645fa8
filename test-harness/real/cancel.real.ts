/** OC-ADAPT-5005: a generation that is given up frees its slot, wherever it stands. */
import { expect, test } from 'vitest';
import { waitFor } from '../src/wait-for.ts';
import { failureOf, generate, LONG_WORK, requestOf } from './completion.ts';
import { ENDLESS, MAX_STREAMS, openAt, serve, serveAll, untilIdle } from './server-fixture.ts';

const all = serveAll();

const reason = new Error('canceled by the test');

for (const after of [1, 40]) {
  test(`OC-ADAPT-5005 after ${after} pieces: nothing more arrives, and the slot is free again`, async () => {
    const abort = new AbortController();
    let delivered = 0;
    const request = requestOf({ maxTokens: 240 }, { grammar: ENDLESS });
    const failure = await failureOf(
      generate(all.adapter, request, {
        signal: abort.signal,
        onPieces: (soFar) => {
          delivered = soFar;
          if (soFar >= after) abort.abort(reason);
        },
      }),
    );
    expect(failure).toBe(reason);
    const deliveredAtCancel = delivered;
    await untilIdle(all.server);
    expect(delivered).toBe(deliveredAtCancel);
    await generate(all.adapter, requestOf());
  });
}

test('OC-ADAPT-5005 while it waits for a slot: it leaves the engine’s queue', async () => {
  await using own = await serve({ ctx: 2_048 });
  const first = new AbortController();
  const second = new AbortController();
  const request = requestOf({}, { grammar: LONG_WORK });
  const gate = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const running = failureOf(
    generate(own.adapter, request, {
      signal: first.signal,
      onPieces: () => {
        gate.resolve();
        return held.promise;
      },
    }),
  );
  await gate.promise;
  const waiting = failureOf(generate(own.adapter, requestOf(), { signal: second.signal }));
  await waitFor('the second to wait', async () => (await own.adapter.metrics()).waiting === 1);
  second.abort(reason);
  expect(await waiting).toBe(reason);
  first.abort(reason);
  held.resolve();
  expect(await running).toBe(reason);
  await untilIdle(own.server);
  await waitFor('the queue to be empty', async () => (await own.adapter.metrics()).waiting === 0);
});

test('OC-ADAPT-5005 a storm of aborted streams leaves no busy slot', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      const abort = new AbortController();
      const request = requestOf({ seed: n, maxTokens: 200 }, { grammar: ENDLESS });
      if (n % 3 === 0) setImmediate(() => abort.abort(reason));
      return await failureOf(
        generate(all.adapter, request, {
          signal: abort.signal,
          onPieces: (soFar) => {
            if (soFar > n % 7) abort.abort(reason);
          },
        }),
      );
    }),
  );
  // Beyond maxStreams the adapter refuses at once.
  for (const outcome of outcomes) {
    if (outcome !== reason) expect(outcome).toMatchObject({ fault: 'busy' });
  }
  expect(outcomes.filter((outcome) => outcome === reason).length).toBeGreaterThanOrEqual(
    MAX_STREAMS,
  );
  await untilIdle(all.server);
  expect(await all.adapter.metrics()).toMatchObject({ running: 0, waiting: 0 });
});

test('OC-ADAPT-5005 closing the adapter ends what is in flight', async () => {
  const own = openAt(all.server.url);
  const gate = Promise.withResolvers<void>();
  const request = requestOf({}, { grammar: ENDLESS });
  const failure = failureOf(generate(own, request, { onPieces: () => gate.resolve() }));
  await gate.promise;
  await own[Symbol.asyncDispose]();
  expect(await failure).toMatchObject({ name: 'EngineError', fault: 'broken' });
  await untilIdle(all.server);
});
