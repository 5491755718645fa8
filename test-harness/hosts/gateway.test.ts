/** The llama.cpp adapter through the gateway of a host, as orchestratord uses it. */
import { Gateway } from '@llama-orch/pool-managerd/gateway';
import { openLlamaCpp, type EngineRequest, type TokenSink } from '@llama-orch/worker-adapters';
import { expect, test } from 'vitest';
import { startLlamaCppSim } from '../engines/llamacpp/sim.ts';
import { waitFor } from '../src/wait-for.ts';

const STREAMS = 1_000;
const REPLICA = 'gpu-a.default-0';

async function setUp(tokens: number, tokenDelayMs = 0) {
  const stack = new AsyncDisposableStack();
  const sim = stack.use(await startLlamaCppSim({ slots: STREAMS, tokens, tokenDelayMs }));
  const gateway = stack.use(
    new Gateway({
      host: '127.0.0.1',
      port: 0,
      bodyLimitBytes: 1024 * 1024,
      authorize: () => ({ url: sim.url }),
    }),
  );
  await gateway.listen();
  const adapter = stack.use(
    openLlamaCpp({
      url: `${gateway.url}/replicas/${REPLICA}`,
      timeouts: { connectMs: 10_000, controlMs: 10_000, headersMs: 30_000, bodyMs: 30_000 },
      maxStreams: STREAMS,
      headers: () => ({ 'x-llama-orch-lease': '1.secret' }),
    }),
  );
  return { stack, sim, gateway, adapter };
}

function request(n: number): EngineRequest {
  return {
    taskId: String(n),
    correlationId: String(n),
    prompt: `prompt ${n}`,
    maxTokens: undefined,
    seed: n,
    sampling: {
      temperature: 0,
      topK: 1,
      topP: 1,
      minP: 0,
      stop: [],
      grammar: undefined,
      jsonSchema: undefined,
      logprobs: 0,
    },
    deterministic: true,
    reuseKv: false,
  };
}

class Collected implements TokenSink {
  text = '';
  started(): void {}
  tokens(pieces: readonly string[]): void {
    this.text += pieces.join('');
  }
}

test('OC-POOL-3122 a thousand streams give what the engine gives without a gateway', async () => {
  const { stack, sim, gateway, adapter } = await setUp(12);
  await using _ = stack;
  await using direct = openLlamaCpp({
    url: sim.url,
    timeouts: { connectMs: 10_000, controlMs: 10_000, headersMs: 30_000, bodyMs: 30_000 },
    maxStreams: STREAMS,
  });
  const textsOf = (through: typeof adapter) =>
    Promise.all(
      Array.from({ length: STREAMS }, async (_, n) => {
        const sink = new Collected();
        await through.submit(request(n), sink, new AbortController().signal);
        return sink.text;
      }),
    );
  expect(await textsOf(adapter)).toEqual(await textsOf(direct));
  expect(gateway.exchanges).toBe(0);
  expect(await adapter.props()).toEqual(await direct.props());
});

test('OC-POOL-3121 cutting a thousand streams frees every slot and leaves no socket', async () => {
  const { stack, sim, gateway, adapter } = await setUp(4_000, 200);
  await using _ = stack;
  const started = new Set<number>();
  const outcomes = Array.from({ length: STREAMS }, (_, n) => {
    const sink = new Collected();
    sink.started = () => void started.add(n);
    return adapter.submit(request(n), sink, new AbortController().signal).then(
      () => 'done',
      (error: { readonly fault?: string }) => error.fault,
    );
  });
  await waitFor('every stream to begin', () => started.size === STREAMS, 30_000);
  expect(gateway.exchanges).toBe(STREAMS);
  gateway.cut(REPLICA);
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['broken']));
  await waitFor('free slots', () => sim.stats.busySlots === 0 && sim.stats.sockets === 0);
  expect(gateway.exchanges).toBe(0);
});

test('callers who leave free their slots, one by one', async () => {
  const { stack, sim, gateway, adapter } = await setUp(4_000, 200);
  await using _ = stack;
  const aborts = Array.from({ length: 100 }, () => new AbortController());
  const outcomes = aborts.map((abort, n) =>
    adapter.submit(request(n), new Collected(), abort.signal).catch(() => 'left'),
  );
  await waitFor('work', () => sim.stats.busySlots === 100);
  for (const [n, abort] of aborts.entries()) if (n % 2 === 0) abort.abort();
  await waitFor('half of it', () => sim.stats.busySlots === 50);
  for (const abort of aborts) abort.abort();
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['left']));
  await waitFor('none of it', () => sim.stats.busySlots === 0 && gateway.exchanges === 0);
});
