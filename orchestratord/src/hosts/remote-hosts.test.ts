import { OrchError, type HostSync } from '@llama-orch/contracts';
import type { PoolEvent } from '@llama-orch/pool-managerd';
import { settle, SILENT, VirtualClock } from '@llama-orch/pool-managerd/testing';
import type { AdapterOptions, TokenSink, WorkerAdapter } from '@llama-orch/worker-adapters';
import { EngineError } from '@llama-orch/worker-adapters';
import { expect, test } from 'vitest';
import type { Logger } from '../logging.ts';
import { surelyOverAfterMs } from './host-state.ts';
import { RemoteHosts } from './remote-hosts.ts';

const TTL_MS = 1_000;
const OVERDUE_MS = TTL_MS / 2;
const HELD_MS = TTL_MS / 4;
const REPLICA = 'gpu-a.default-0';
const INSTANCE = {
  id: '00000000-0000-4000-8000-000000000001',
  home: '00000000-0000-4000-8000-00000000000a',
  generation: 1,
};

function setUp() {
  const clock = new VirtualClock();
  const events: PoolEvent[] = [];
  const opened: AdapterOptions[] = [];
  const engine = { answers: true, disposed: 0, submits: [] as PromiseWithResolvers<never>[] };
  const registered: string[] = [];
  const adapterOf = (options: AdapterOptions) => {
    opened.push(options);
    return {
      url: options.url,
      props: async () => {
        if (!engine.answers) throw new EngineError('timeout', 'llamacpp', 'no answer within 1 ms');
      },
      submit: () => {
        const pending = Promise.withResolvers<never>();
        engine.submits.push(pending);
        return pending.promise;
      },
      [Symbol.asyncDispose]: async () => void (engine.disposed += 1),
    } as unknown as WorkerAdapter;
  };
  const hosts = new RemoteHosts({
    models: { wanted: new Map(), remember: () => undefined },
    orchestratorId: '00000000-0000-4000-8000-00000000000f',
    poolIds: ['default', 'other', 'swapped'],
    hostOf: (poolId) => (poolId === 'swapped' ? 'gpu-a' : undefined),
    takesTurns: (poolId) => poolId === 'swapped',
    adapterOptionsOf: () => ({
      timeouts: { connectMs: 1, controlMs: 1, headersMs: 1, bodyMs: 1 },
    }),
    isLocal: (replicaId) => replicaId === 'gpu-l.default-0',
    openAdapter: () => adapterOf,
    onHeard: ({ hostId }) => void registered.push(`+${hostId}`),
    onTakenOver: () => undefined,
    onOver: ({ hostId }) => void registered.push(`-${hostId}`),
    clock,
    logger: SILENT as unknown as Logger,
  });
  hosts.subscribe((event) => events.push(event));
  const states = () =>
    events.flatMap((event) =>
      event.type === 'replica' || event.type === 'replica-gone'
        ? `${event.type} ${event.replica.state}`
        : [],
    );
  return { clock, hosts, events, states, opened, engine, registered, ...speaker(hosts) };
}

/** A host that says what the test wants it to. */
function speaker(hosts: RemoteHosts) {
  let seq = 0;
  let heard: HostSync['heard'];
  let orchestrator = '';
  const report = (changes: Partial<HostSync> = {}): HostSync => {
    seq += 1;
    return {
      api_version: '1.0.0',
      instance: INSTANCE,
      seq,
      ...(heard === undefined ? {} : { heard }),
      gateway_url: 'http://10.0.0.7:8090',
      lease_ttl_ms: TTL_MS,
      replicas: [replica()],
      leases: [],
      events: [],
      ...changes,
    };
  };
  /** A host that has heard everything: its sync is held unless there is news. */
  const wait = async (changes: Partial<HostSync> = {}) => {
    const answer = await hosts.sync('gpu-a', report(changes));
    orchestrator = answer.orchestrator.instance_id;
    heard = {
      instance_id: orchestrator,
      answer: answer.answer,
      command: answer.commands.at(-1)?.n ?? heard?.command ?? 0,
    };
    return answer;
  };
  /** A host that has missed the last answer: it is answered at once. */
  const sync = (changes: Partial<HostSync> = {}) => {
    if (heard !== undefined) heard = { ...heard, answer: 0 };
    return wait(changes);
  };
  const leased = (token = 1) => ({
    leases: [
      {
        replica_id: REPLICA,
        orchestrator_instance_id: orchestrator,
        token,
        secret: 'abcdefghijklmnopqrstuv',
      },
    ],
  });
  return { report, sync, wait, leased };
}

function replica(changes: Partial<HostSync['replicas'][number]> = {}) {
  return {
    replica_id: REPLICA,
    pool_id: 'default',
    replica_set_id: 'set',
    engine: 'llamacpp' as const,
    engine_version: 'b1',
    model_id: 'm',
    model_digest: '',
    quant: 'Q4_0',
    kv_bytes_per_token: 0,
    device: 'cuda:0',
    slots: 2,
    ctx: 4096,
    exact_prefix_reuse: false,
    state: 'ready' as const,
    restarts: 0,
    ready_for_ms: 10,
    chat: { kind: 'envelope' as const, prefix: '<', suffix: '>' },
    labels: { zone: 'a' },
    ...changes,
  };
}

/** A host whose one replica is leased and ready. */
async function serving() {
  const world = setUp();
  await world.sync();
  await world.sync(world.leased());
  await settle();
  return world;
}

const SINK: TokenSink = { started: () => undefined, tokens: () => undefined };

test('OC-POOL-3113 a replica is ready once its lease is held and its engine answers through the gateway', async () => {
  const { hosts, sync, leased, states, opened, engine, clock } = setUp();
  engine.answers = false;
  expect(await sync()).toMatchObject({ lease: [REPLICA], commands: [], next_sync_ms: HELD_MS });
  expect(hosts.acquire(REPLICA, 'me')).toBeUndefined();
  void sync(leased(7));
  await settle();
  expect(hosts.replica(REPLICA)?.lastError).toContain(
    'does not answer through http://10.0.0.7:8090',
  );
  engine.answers = true;
  await clock.advance(200);
  expect(states()).toEqual(['replica unready', 'replica unready', 'replica ready']);
  const lease = hosts.acquire(REPLICA, 'me');
  expect(lease).toMatchObject({ token: 7, holder: 'me' });
  expect(hosts.use(lease!)).toMatchObject({
    envelope: { prefix: '<', suffix: '>' },
    snapshot: { poolId: 'default', labels: { zone: 'a' }, url: 'http://10.0.0.7:8090' },
  });
  expect(opened[0]?.url).toBe(`http://10.0.0.7:8090/replicas/${REPLICA}`);
  expect(opened[0]?.headers?.()).toEqual({ 'x-llama-orch-lease': '7.abcdefghijklmnopqrstuv' });
});

test('OC-POOL-3105 an answer that says nothing new is held, and given as soon as there is news', async () => {
  const { hosts, wait, leased, clock } = await serving();
  let answered = 0;
  const listen = () => void wait(leased()).then(() => (answered += 1));
  listen();
  await clock.advance(HELD_MS - 1);
  expect(answered).toBe(0);
  await clock.advance(1);
  expect(answered).toBe(1);
  listen();
  await settle();
  hosts.suspect(REPLICA, 'hung', 'silent');
  await settle();
  expect(answered).toBe(2);
});

test('OC-POOL-3105 a sync that is overtaken is answered at once', async () => {
  const { hosts, report, leased } = await serving();
  const [held, next] = [report(leased()), report(leased())];
  let isAnswered = false;
  void hosts.sync('gpu-a', held).then(() => (isAnswered = true));
  void hosts.sync('gpu-a', next);
  await settle();
  expect(isAnswered).toBe(true);
});

test('OC-POOL-3102 a command is told until it is carried out, and only once more asked for', async () => {
  const { hosts, sync, leased, report } = await serving();
  hosts.suspect(REPLICA, 'hung', 'silent');
  hosts.suspect(REPLICA, 'hung', 'silent again');
  const lost = await hosts.sync('gpu-a', report(leased()));
  expect(lost.commands).toMatchObject([{ n: 1, type: 'suspect', replica_id: REPLICA }]);
  expect((await sync(leased())).commands).toEqual(lost.commands);
  hosts.drain('default');
  expect(await sync(leased())).toMatchObject({ commands: [], drain: ['default'] });
  hosts.undrain('default');
  expect(await sync(leased())).toMatchObject({
    commands: [{ n: 2, type: 'revive', pool_id: 'default' }],
    drain: [],
  });
});

test('OC-POOL-3102 events are taken once', async () => {
  const { sync, leased, events } = await serving();
  const restart = {
    n: 1,
    type: 'restart',
    replica_id: REPLICA,
    reason: 'exit',
    delay_ms: 5,
  } as const;
  const lost = { n: 2, type: 'lease', replica_id: REPLICA, lease: 'fenced' } as const;
  await sync({ ...leased(2), events: [restart] });
  expect(await sync({ ...leased(3), events: [restart, lost] })).toMatchObject({ event: 2 });
  expect(events.filter(({ type }) => type === 'restart')).toHaveLength(1);
  expect(events.filter(({ type }) => type === 'lease')).toMatchObject([{ event: 'fenced' }]);
});

test('OC-POOL-3112 OC-POOL-3113 an overdue host is unready at once, and its replicas gone when leases are surely over', async () => {
  const { hosts, states, clock, sync, leased, engine, registered } = await serving();
  const lease = hosts.acquire(REPLICA, 'me')!;
  await clock.advance(OVERDUE_MS);
  expect(states().slice(-1)).toEqual(['replica unready']);
  expect(() => hosts.use(lease)).toThrow(OrchError);
  expect(hosts.renew(lease)).toBeDefined();
  await clock.advance(surelyOverAfterMs(TTL_MS) - OVERDUE_MS - 1);
  expect(states()).not.toContain('replica-gone unready');
  await clock.advance(1);
  expect(states().slice(-1)).toEqual(['replica-gone unready']);
  expect(hosts.renew(lease)).toBeUndefined();
  expect(engine.disposed).toBe(1);
  expect(registered).toEqual(['+gpu-a', '-gpu-a']);
  await sync();
  await sync(leased(2));
  await settle();
  expect(states().slice(-1)).toEqual(['replica ready']);
  expect(registered).toEqual(['+gpu-a', '-gpu-a', '+gpu-a']);
});

test('a host that is only late is ready again under the same lease', async () => {
  const { hosts, states, clock, sync, leased } = await serving();
  const lease = hosts.acquire(REPLICA, 'me')!;
  await clock.advance(OVERDUE_MS + 1);
  void sync(leased());
  await settle();
  expect(states().slice(-2)).toEqual(['replica unready', 'replica ready']);
  expect(hosts.use(lease).snapshot.state).toBe('ready');
});

test('OC-POOL-3112 a lease that the host no longer reports is over at once', async () => {
  const { states, sync } = await serving();
  await sync({ replicas: [replica({ state: 'backoff' })] });
  expect(states().slice(-2)).toEqual(['replica ready', 'replica-gone backoff']);
});

test('an engine that crashed under its work is told from one that is only out of reach', async () => {
  const { sync, leased, events } = await serving();
  const gone = { n: 1, type: 'gone', replica_id: REPLICA, crashed: true } as const;
  await sync({ events: [gone], replicas: [replica({ state: 'backoff' })] });
  await sync({ ...leased(2), events: [gone] });
  await sync();
  expect(events.filter(({ type }) => type === 'replica-gone')).toMatchObject([
    { crashed: true },
    { crashed: false },
  ]);
});

test('a lease that was lost here is not taken again, however long the host keeps it', async () => {
  const { hosts, clock, sync, leased } = await serving();
  await clock.advance(surelyOverAfterMs(TTL_MS));
  expect((await sync(leased(1))).lease).toEqual([]);
  expect(hosts.acquire(REPLICA, 'me')).toBeUndefined();
  expect((await sync()).lease).toEqual([REPLICA]);
  void sync(leased(2));
  await settle();
  expect(hosts.acquire(REPLICA, 'me')).toMatchObject({ token: 2 });
});

test('leases of another process of orchestratord are not taken', async () => {
  const { hosts, sync, leased } = setUp();
  await sync();
  const [lease] = leased().leases;
  const other = { ...lease!, orchestrator_instance_id: INSTANCE.home };
  await sync({ leases: [other] });
  await settle();
  expect(hosts.hosts()[0]?.replicas[0]).toMatchObject({ leased: false, state: 'unready' });
});

test('OC-POOL-3114 a failed attempt is over once the host has cut it off', async () => {
  const { hosts, sync, leased, engine } = await serving();
  const { adapter } = hosts.use(hosts.acquire(REPLICA, 'me')!);
  let outcome: unknown;
  const running = adapter.submit({} as never, SINK, new AbortController().signal);
  running.catch((error: unknown) => (outcome = error));
  engine.submits[0]?.reject(new EngineError('broken', 'llamacpp', 'reset'));
  await settle();
  expect(outcome).toBeUndefined();
  const { commands } = await sync(leased());
  expect(commands).toMatchObject([{ type: 'end' }]);
  void sync(leased());
  await settle();
  expect(outcome).toMatchObject({ fault: 'broken' });
});

test('OC-POOL-3114 or once its lease is over; until then the silence is not the engine’s', async () => {
  const { hosts, clock, engine } = await serving();
  const { adapter } = hosts.use(hosts.acquire(REPLICA, 'me')!);
  const abort = new AbortController();
  const beats: number[] = [];
  const sink: TokenSink = { ...SINK, tokens: (pieces) => void beats.push(pieces.length) };
  let isOver = false;
  void adapter.submit({} as never, sink, abort.signal).catch(() => (isOver = true));
  await clock.advance(OVERDUE_MS - 1);
  expect(beats).toEqual([]);
  await clock.advance(101);
  expect(beats.length).toBeGreaterThan(1);
  engine.submits[0]?.reject(new Error('aborted'));
  await clock.advance(surelyOverAfterMs(TTL_MS) - OVERDUE_MS - 101);
  expect(isOver).toBe(false);
  await clock.advance(1);
  expect(isOver).toBe(true);
  const { length } = beats;
  await clock.advance(1_000);
  expect(beats).toHaveLength(length);
});

test('OC-POOL-3135 a lease that nobody has taken is given back when its replica is to go, and one that is used is not', async () => {
  const untaken = await serving();
  const draining = { replicas: [replica({ state: 'draining' })] };
  expect(await untaken.sync({ ...untaken.leased(), ...draining })).toMatchObject({ lease: [] });
  expect(await untaken.sync(draining)).toMatchObject({ lease: [REPLICA] });
  const taken = await serving();
  const lease = taken.hosts.acquire(REPLICA, 'me')!;
  expect(await taken.sync({ ...taken.leased(), ...draining })).toMatchObject({ lease: [REPLICA] });
  taken.hosts.release(lease);
  expect(await taken.sync({ ...taken.leased(), ...draining })).toMatchObject({ lease: [] });
});

test('what the engine refused is over at once; what the gateway refused may be tried elsewhere', async () => {
  const { hosts, engine } = await serving();
  const { adapter } = hosts.use(hosts.acquire(REPLICA, 'me')!);
  const submit = () => adapter.submit({} as never, SINK, new AbortController().signal);
  const [refused, stale] = [submit(), submit()];
  engine.submits[0]?.reject(new EngineError('permanent', 'llamacpp', 'no', { status: 400 }));
  engine.submits[1]?.reject(new EngineError('permanent', 'llamacpp', 'no', { status: 409 }));
  await expect(refused).rejects.toMatchObject({ fault: 'permanent' });
  await expect(stale).rejects.toMatchObject({ fault: 'not-ready' });
});

test('OC-POOL-3142 a later start on the same directory takes over at once, and an earlier one is refused', async () => {
  const { hosts, states, sync, report } = await serving();
  const successor = { ...INSTANCE, id: '00000000-0000-4000-8000-000000000002', generation: 2 };
  await sync({ instance: successor });
  expect(states().slice(-3)).toEqual([
    'replica-gone unready',
    'replica stopped',
    'replica unready',
  ]);
  await expect(hosts.sync('gpu-a', report())).rejects.toMatchObject({ kind: 'CONFLICT' });
});

test('OC-POOL-3103 another directory under the same host id is refused while the first may live', async () => {
  const { hosts, clock, report } = await serving();
  const twin = { ...INSTANCE, id: INSTANCE.home, home: INSTANCE.id };
  await expect(hosts.sync('gpu-a', report({ instance: twin }))).rejects.toThrow(
    /give each host a host_id of its own; .* taken \d+ ms from now/,
  );
  await clock.advance(surelyOverAfterMs(TTL_MS));
  await expect(hosts.sync('gpu-a', report({ instance: twin }))).resolves.toBeDefined();
});

test.each([
  ['another major version', { api_version: '2.0.0' }, 'CONFLICT', /same major version/],
  [
    'an unknown pool',
    { replicas: [replica({ pool_id: 'new' })] },
    'NOT_FOUND',
    /add it to the pools/,
  ],
  [
    'a replica of another host',
    { replicas: [replica({ replica_id: 'gpu-b.default-0' })] },
    'INVALID_PARAMS',
    /must begin with gpu-a\./,
  ],
  [
    'a pool of its configuration that is unknown',
    { pools: [{ pool_id: 'new', loaded: false }] },
    'NOT_FOUND',
    /add it to the pools/,
  ],
  ['a replica twice', { replicas: [replica(), replica()] }, 'INVALID_PARAMS', /is there twice/],
  ['a gateway that is no URL', { gateway_url: 'http://a:99999' }, 'INVALID_PARAMS', /not a URL/],
] as const)('OC-POOL-3103 %s is refused with what to do', async (_, changes, kind, message) => {
  const { hosts, report } = setUp();
  const refused = hosts.sync('gpu-a', report(changes));
  await expect(refused).rejects.toMatchObject({
    kind,
    message: expect.stringMatching(message) as string,
  });
  expect(hosts.hosts()).toEqual([]);
});

test('OC-POOL-3136 a pool of one host is refused on another', async () => {
  const { hosts, report } = setUp();
  const pools = [{ pool_id: 'swapped', loaded: false }];
  const refused = hosts.sync('gpu-b', report({ replicas: [], pools }));
  await expect(refused).rejects.toThrow(/pool swapped is for host gpu-a alone/);
  await expect(hosts.sync('gpu-a', report({ pools }))).resolves.toBeDefined();
});

test('OC-POOL-3102 what undoes a command that waits goes after it, and what repeats it is not put', async () => {
  const { hosts, sync } = await serving();
  hosts.load('default');
  hosts.load('default');
  void hosts.unload('default', 0);
  hosts.load('default');
  const { commands } = await sync();
  expect(commands.map(({ type }) => type)).toEqual(['load', 'unload', 'load']);
});

test('OC-POOL-3103 a replica id that this process uses itself is refused', async () => {
  const { hosts, report } = setUp();
  const taken = report({ replicas: [replica({ replica_id: 'gpu-l.default-0' })] });
  await expect(hosts.sync('gpu-l', taken)).rejects.toThrow(/choose another host_id/);
});

test('a host that takes leave is gone, but not by the word of an earlier instance', async () => {
  const { hosts, states } = await serving();
  hosts.remove('gpu-a', INSTANCE.home);
  expect(hosts.hosts()).toHaveLength(1);
  hosts.remove('gpu-a', INSTANCE.id);
  expect(hosts.hosts()).toEqual([]);
  expect(states().slice(-2)).toEqual(['replica-gone unready', 'replica stopped']);
});

test('closing answers what is held, and asks for nothing any more', async () => {
  const { hosts, sync, wait, leased, clock } = await serving();
  const held = wait(leased());
  await settle();
  hosts.close();
  expect((await held).lease).toEqual([]);
  await expect(sync()).rejects.toMatchObject({ kind: 'POOL_UNAVAILABLE' });
  await hosts.stop(0);
  await clock.advance(10_000);
  expect(clock.pending).toBe(0);
});

test('a pool is unloaded when its last replica is gone from the hosts', async () => {
  const { hosts, sync, leased } = await serving();
  let isUnloaded = false;
  void hosts.unload('default', 1_000).then(() => (isUnloaded = true));
  const { commands } = await sync(leased());
  expect(commands).toMatchObject([{ type: 'unload', pool_id: 'default', deadline_ms: 1_000 }]);
  await sync({ replicas: [replica({ state: 'draining' })] });
  expect(isUnloaded).toBe(false);
  await sync({ replicas: [] });
  await settle();
  expect(isUnloaded).toBe(true);
  hosts.load('default');
  expect((await sync()).commands).toMatchObject([{ type: 'load', pool_id: 'default' }]);
});

test('beyond as many hosts as are kept another is refused, and those known are served on', async () => {
  const { hosts, report, registered } = setUp();
  const instance = (home: number) => ({
    ...INSTANCE,
    home: `00000000-0000-4000-8000-${String(home).padStart(12, '0')}`,
  });
  for (let n = 0; n < 1_024; n += 1) {
    void hosts.sync(`h-${n}`, report({ instance: instance(n), replicas: [] }));
  }
  const late = report({ instance: instance(1_024), replicas: [] });
  await expect(hosts.sync('h-late', late)).rejects.toMatchObject({ kind: 'REPLICA_EXHAUSTED' });
  expect(registered).toHaveLength(1_024);
  await hosts.sync('h-0', report({ instance: instance(0), replicas: [] }));
  expect(hosts.hosts()).toHaveLength(1_024);
});

test('OC-POOL-3113 a lease that is not held any more opens nothing', async () => {
  const { hosts } = await serving();
  const lease = hosts.acquire(REPLICA, 'me')!;
  const lost = { kind: 'POOL_UNREADY', message: `the lease on ${REPLICA} was lost` };
  expect(() => hosts.use({ ...lease, token: lease.token + 1 })).toThrow(
    expect.objectContaining(lost) as Error,
  );
  hosts.remove('gpu-a', INSTANCE.id);
  expect(() => hosts.use(lease)).toThrow(expect.objectContaining(lost) as Error);
});

test('one listener that fails does not keep events from the others', async () => {
  const { hosts, sync, states } = setUp();
  let heard = 0;
  hosts.subscribe(() => {
    throw new Error('a bad listener');
  });
  hosts.subscribe(() => void (heard += 1));
  await sync();
  expect(states()).toEqual(['replica unready']);
  expect(heard).toBe(1);
});
