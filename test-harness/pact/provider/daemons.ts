/** The daemons that the pacts are verified against, started as users start them, over simulated engines. */
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLlamaCppSim, type LlamaCppSim } from '../../engines/llamacpp/sim.ts';
import { DaemonClient } from '../../src/daemon-client.ts';
import { startDaemon, type DaemonProcess } from '../../src/daemon-process.ts';
import { externalPool, simulatorPool, type ConfigInput } from '../../src/temp-config.ts';
import {
  BUSY_POOL,
  DRAINING_POOL,
  fullPoolOf,
  OTHER_MODEL,
  PAIRED_POOL,
  SLOW_POOL,
  WIDOWED_POOL,
} from '../cases/case-values.ts';
import { KEYS, POOL_ID, type KeyName } from '../pact-case.ts';
import { sha256 } from '../../src/stream-check.ts';

/** A pool whose engine can be told to fail. */
export const BROKEN_POOL = 'broken';
/** A pool of the daemon that keeps nothing for long. */
export const QUICK_POOL = 'quick';

/** A daemon under verification, as each of the callers sees it. */
export interface Provider {
  readonly url: string;
  /** Started for the verification: whatever its situations need may be done to it. */
  readonly isOurs: boolean;
  as(key: KeyName): DaemonClient;
  /** The next task of the broken pool fails. Only of daemons that were started for it. */
  failNextTask?(): void;
  /** Ends the engine of the widowed pool's other replica. Likewise. */
  endOtherReplica?(replicaId: string): Promise<void>;
}

export interface Daemons extends AsyncDisposable {
  /** Roomy, with all its pools ready. */
  readonly main: Provider;
  /** Short of everything: bodies, time, engines. Its first pool can change its model. */
  readonly tight: Provider;
}

/** Far longer than a verification. */
const ENDLESS = { slots: 1, tokens: 4_000, tokenDelayMs: 200 };
/** So slow that no pause of a busy machine makes a millisecond look possible. */
const SLOW_TOKEN_MS = 40;
const LOST_ANSWERS = {
  NODE_OPTIONS: `--import ${new URL('lost-answers.ts', import.meta.url).href}`,
};

const AUTH: ConfigInput = {
  tenants: [{ id: 'hurried', rps: 0.001, burst: 1 }],
  auth: {
    keys: [
      keyOf('client', 'default', 'tasks:write', 'tasks:read'),
      keyOf('operator', 'default', 'control:read', 'control:write', 'admin'),
      keyOf('host', 'default', 'pool:write'),
      keyOf('hurried', 'hurried', 'tasks:write'),
      keyOf('reader', 'default', 'tasks:read'),
      keyOf('observer', 'default', 'control:read'),
    ],
  },
};

function keyOf(name: KeyName, tenant: string, ...scopes: Scope[]) {
  return { id: name, tenant, sha256: sha256(KEYS[name]), scopes };
}

type Scope =
  'tasks:write' | 'tasks:read' | 'control:read' | 'control:write' | 'pool:write' | 'admin';

/** Resolves when their engines are ready. */
export async function startDaemons(): Promise<Daemons> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'llama-orch-pact-models-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const sim = async (options?: Parameters<typeof startLlamaCppSim>[0]): Promise<LlamaCppSim> =>
    stack.use(await startLlamaCppSim(options));
  const policies = ['reject', 'drop-lru', 'shed-low-priority'] as const;
  const [roomy, broken, draining, slow, busy, ...full] = await Promise.all([
    sim(),
    sim(),
    sim(),
    sim({ tokenDelayMs: SLOW_TOKEN_MS }),
    sim(ENDLESS),
    ...policies.map(() => sim(ENDLESS)),
  ]);
  const pair = await Promise.all([sim(), sim()]);
  const couple = await Promise.all([sim(), sim()]);
  const models = [{ id: OTHER_MODEL, path: modelFile(directory, OTHER_MODEL) }];
  const main = await started(stack, {
    ...AUTH,
    models,
    pools: [
      namedPool(POOL_ID, roomy, { slots: 4, model: { id: 'tiny-haiku' } }),
      namedPool(BROKEN_POOL, broken, { max_attempts: 1 }),
      namedPool(DRAINING_POOL, draining),
      pairedPool(PAIRED_POOL, pair),
      pairedPool(WIDOWED_POOL, couple),
      namedPool(SLOW_POOL, slow, { slots: 4 }),
      namedPool(BUSY_POOL, busy),
      ...policies.map((policy, n) =>
        namedPool(fullPoolOf(policy), full[n] ?? busy, {
          queue: { capacity: 1, full_policy: policy },
        }),
      ),
    ],
  });
  const tight = await started(stack, {
    ...AUTH,
    server: { body_limit_bytes: 1024 },
    sessions: { ttl_ms: 1000 },
    retention: { max_age_ms: 1000 },
    models,
    pools: [
      changeablePool(modelFile(directory, 'tiny-haiku')),
      namedPool(QUICK_POOL, roomy),
      externalPool(['http://127.0.0.1:9'], { id: 'unreachable', model: { id: 'unreachable' } }),
    ],
  });
  for (const id of [PAIRED_POOL, WIDOWED_POOL]) {
    await main.provider.as('operator').untilReady(2, id);
  }
  for (const { id } of main.pools) await main.provider.as('operator').untilReady(1, id);
  for (const id of [POOL_ID, QUICK_POOL]) await tight.provider.as('operator').untilReady(1, id);
  const owned = stack.move();
  return {
    main: {
      ...main.provider,
      failNextTask: () => broken.addFault({ kind: 'garbage', after_tokens: 0 }),
      endOtherReplica: async (replicaId) => {
        const [first, second] = couple;
        await (replicaId === `${WIDOWED_POOL}-0` ? second : first)?.close();
      },
    },
    tight: tight.provider,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function started(stack: AsyncDisposableStack, config: ConfigInput) {
  const daemon: DaemonProcess = stack.use(await startDaemon({ config, env: LOST_ANSWERS }));
  const provider = providerAt(daemon.url, KEYS, true);
  stack.use(provider);
  return { provider, pools: (config.pools ?? []) as readonly { readonly id: string }[] };
}

/** @param keys what each caller sends; undefined sends none */
export function providerAt(
  url: string,
  keys: Readonly<Record<KeyName, string | undefined>>,
  isOurs = false,
): Provider & AsyncDisposable {
  const clients = new Map<KeyName, DaemonClient>();
  return {
    url,
    isOurs,
    as(name) {
      const key = keys[name];
      const headers = key === undefined ? undefined : { authorization: `Bearer ${key}` };
      const client = clients.get(name) ?? new DaemonClient(() => url, headers);
      clients.set(name, client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients.values()) await client[Symbol.asyncDispose]();
    },
  };
}

function namedPool(id: string, sim: LlamaCppSim, more: Parameters<typeof externalPool>[1] = {}) {
  return externalPool([sim.url], { id, model: { id }, ...more });
}

function pairedPool(id: string, sims: readonly LlamaCppSim[]) {
  return externalPool(
    sims.map(({ url }) => url),
    { id, model: { id } },
  );
}

/** A simulated engine takes no model; `env` lets the command name one all the same. */
function changeablePool(path: string) {
  const pool = simulatorPool([], { replicas: 1, slots: 2, model: { id: 'tiny-haiku', path } });
  return { ...pool, command: ['/usr/bin/env', 'SIM_MODEL={model}', ...(pool.command ?? [])] };
}

function modelFile(directory: string, name: string): string {
  const path = join(directory, `${name}.gguf`);
  writeFileSync(path, `the weights of ${name}`);
  return path;
}
