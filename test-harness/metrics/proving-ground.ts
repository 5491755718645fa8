/**
 * A daemon whose every metric can be counted from outside: pools over simulators in this process, one of
 * engines that it owns on a GPU that a script plays, tenants with keys, and a queue small enough to fill.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimFault } from '../engines/kit/faults.ts';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { DaemonClient } from '../src/daemon-client.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { parseMetrics, sumOf, type Scrape } from '../src/metrics-text.ts';
import { externalPool, simulatorPool } from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';
import { sha256 } from '../src/stream-check.ts';
import { newKey } from '../src/new-key.ts';

/** Every prompt of the workload holds it; those of self-tests and probes do not. */
export const MARK = 'counted';
export const TENANTS = ['acme', 'globex'] as const;
/** So many tasks of the tenant `hasty` are let through. */
export const HASTY_BURST = 2;
export const SMALL_CAPACITY = 3;
/** What the pool `owned` may be told to serve; the first is its own. */
export const MODELS = ['first', 'second', 'third'] as const;
/** What the script says of its only GPU: MiB and percent. */
export const GPU = { usedMib: 1_234, utilization: 37 } as const;

/** For this seed one of the two engines of the pool `audited` says another token, at this place. */
export const DRIFT = { seed: 13, token: 2 } as const;

const GPU_LINE = `0, GPU-0, 81559, 80325, ${GPU.usedMib}, ${GPU.utilization}`;
const STARTS_MS = 60_000;

export interface StruckFault {
  readonly fault: SimFault;
  readonly pool: string;
}

export interface ProvingGround extends AsyncDisposable {
  readonly daemon: DaemonProcess;
  /** With the scope `admin`. */
  readonly operator: DaemonClient;
  readonly as: Readonly<Record<(typeof TENANTS)[number] | 'hasty' | 'reader', DaemonClient>>;
  readonly chat: readonly LlamaCppSim[];
  readonly small: LlamaCppSim;
  /** Faults that hit tasks of the workload. */
  readonly struck: readonly StruckFault[];
  /** The next engine of the pool `owned` ends at once with an error of its driver. */
  breakDriverOnce(): void;
  scrape(): Promise<Scrape>;
  /** The same as text. */
  exposition(): Promise<string>;
  /** Once no reader is connected. */
  settled(): Promise<Scrape>;
}

export async function startProvingGround(): Promise<ProvingGround> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'llama-orch-metrics-'));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'nvidia-smi'), `#!/bin/sh\necho '${GPU_LINE}'\n`, { mode: 0o755 });
  for (const name of MODELS) writeFileSync(join(directory, `${name}.gguf`), name);

  const struck: StruckFault[] = [];
  const sim = async (pool: string, slots: number, tokens: number): Promise<LlamaCppSim> =>
    stack.use(
      await startLlamaCppSim({
        ...{ slots, tokens, tokenDelayMs: 1 },
        onFault: (fault, text) => {
          if (text.includes(MARK)) struck.push({ fault, pool });
        },
      }),
    );
  const chat = [await sim('chat', 2, 12), await sim('chat', 2, 12)];
  const small = await sim('small', 1, 8);
  const audited = [
    stack.use(await startLlamaCppSim({ slots: 2, tokens: 6 })),
    stack.use(await startLlamaCppSim({ slots: 2, tokens: 6, drift: DRIFT })),
  ];
  const keys = Object.fromEntries(
    ['operator', ...TENANTS, 'hasty', 'reader'].map((name) => [name, newKey()]),
  );
  const breakFlag = join(directory, 'broken');
  const daemon = stack.use(
    await startDaemon({
      env: { PATH: `${directory}:${process.env['PATH'] ?? ''}` },
      config: {
        server: { body_limit_bytes: 65_536 },
        tenants: [
          { id: 'acme', weight: 2 },
          { id: 'globex' },
          { id: 'hasty', rps: 0.001, burst: HASTY_BURST },
        ],
        auth: {
          keys: Object.entries(keys).map(([name, key]) => ({
            id: name,
            tenant: name === 'operator' || name === 'reader' ? 'default' : name,
            sha256: sha256(key),
            scopes:
              name === 'operator'
                ? ['admin']
                : name === 'reader'
                  ? ['tasks:read']
                  : ['tasks:write', 'tasks:read'],
          })),
        },
        models: MODELS.map((id) => ({ id, path: join(directory, `${id}.gguf`) })),
        pools: [
          externalPool(
            chat.map(({ url }) => url),
            {
              id: 'chat',
              determinism: 'exact',
              model: { id: 'chat' },
              slots: 2,
              queue: { capacity: 1_000 },
            },
          ),
          externalPool([small.url], {
            id: 'small',
            model: { id: 'small' },
            queue: { capacity: SMALL_CAPACITY, full_policy: 'drop-lru' },
            scheduling: { preemption: 'hard' },
          }),
          ownedPool(directory, breakFlag),
          simulatorPool(['--tokens', '6'], {
            id: 'turns',
            model: { id: 'turns' },
            replicas: 1,
            keep_alive_ms: 200,
            swap: { min_residency_ms: 0 },
          }),
          externalPool(
            audited.map(({ url }) => url),
            {
              ...{ id: 'audited', model: { id: 'audited' }, determinism: 'exact', slots: 2 },
              audit: { share: 1, max_per_minute: 600 },
            },
          ),
        ],
      },
    }),
  );
  const clientOf = (name: string): DaemonClient =>
    stack.use(
      new DaemonClient(() => daemon.url, { authorization: `Bearer ${String(keys[name])}` }),
    );
  const operator = clientOf('operator');
  await operator.untilReady(2, 'chat', STARTS_MS);
  await operator.untilReady(1, 'small', STARTS_MS);
  await operator.untilReady(1, 'owned', STARTS_MS);
  await operator.untilReady(2, 'audited', STARTS_MS);

  const exposition = async (): Promise<string> => (await operator.call('getMetrics')).text;
  const scrape = async (): Promise<Scrape> => parseMetrics(await exposition());
  const as = {
    acme: clientOf('acme'),
    globex: clientOf('globex'),
    hasty: clientOf('hasty'),
    reader: clientOf('reader'),
  };
  const kept = stack.move();
  return {
    daemon,
    operator,
    as,
    chat,
    small,
    struck,
    breakDriverOnce: () => writeFileSync(breakFlag, ''),
    exposition,
    scrape,
    settled: () =>
      waitFor('no open stream', async () => {
        const now = await scrape();
        return sumOf(now, 'sse_streams_open') === 0 && now;
      }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** An engine in a shell that can be told to fail as one does whose GPU is gone. */
function ownedPool(directory: string, breakFlag: string) {
  const script =
    'if [ -e "$0" ]; then rm "$0"; echo "CUDA error: illegal memory access" >&2; exit 1; fi; exec "$@"';
  const pool = simulatorPool(['--tokens', '6'], {
    id: 'owned',
    model: { id: 'first', path: join(directory, 'first.gguf') },
    replicas: 1,
    devices: [0],
    memory_bytes: 0,
  });
  const command = ['/usr/bin/env', 'SIM_MODEL={model}', ...(pool.command ?? [])];
  return { ...pool, command: ['/bin/sh', '-c', script, breakFlag, ...command] };
}
