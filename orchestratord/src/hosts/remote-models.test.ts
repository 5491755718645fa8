import type { HostPool } from '@llama-orch/contracts';
import type { ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { SILENT } from '@llama-orch/pool-managerd/testing';
import { expect, test } from 'vitest';
import type { Logger } from '../logging.ts';
import { RemoteModels, type ModelHost, type WantedOfPool } from './remote-models.ts';

const targetOf = (modelId: string, modelDigest?: string) => ({
  modelId,
  modelPath: undefined,
  modelDigest,
});

/** Hosts that say of the newest wish what the test wants them to. */
class Hosts {
  readonly states = new Map<string, Pick<HostPool, 'state' | 'reason'>>();
  readonly replicas: ReplicaSnapshot[] = [];
  readonly remembered: WantedOfPool[] = [];
  readonly models: RemoteModels;
  canChangeModels = true;
  changes = 0;

  /** @param counts replicas of each host */
  constructor(counts: Readonly<Record<string, number>>, wanted?: WantedOfPool) {
    for (const [hostId, count] of Object.entries(counts)) {
      this.states.set(hostId, {});
      for (let n = 0; n < count; n++) this.add(`${hostId}.default-${n}`);
    }
    this.models = new RemoteModels({
      wanted: new Map(wanted === undefined ? [] : [['default', wanted]]),
      remember: (_poolId, each) => void this.remembered.push(each),
      hostsOf: () => [...this.states.keys()].map((hostId) => this.#host(hostId)),
      replicasOf: () => this.replicas,
      onChange: () => {
        this.changes += 1;
        for (const hostId of this.states.keys()) this.states.set(hostId, { state: 'changing' });
      },
      logger: SILENT as unknown as Logger,
    });
  }

  get change() {
    return this.models.healthOf('default').change?.kind;
  }

  get error() {
    return this.models.healthOf('default').changeError;
  }

  add(replicaId: string, canaryPercent?: number): void {
    this.replicas.push({ replicaId, canaryPercent, state: 'ready' } as ReplicaSnapshot);
  }

  wish(hostId = 'a') {
    return this.models.wishOf('default', hostId);
  }

  say(hostId: string, state: 'done' | 'failed', reason?: string): void {
    this.states.set(hostId, { state, ...(reason === undefined ? {} : { reason }) });
    this.models.look('default');
  }

  lose(hostId: string): void {
    this.states.delete(hostId);
    this.models.look('default');
  }

  #host(hostId: string): ModelHost {
    return {
      hostId,
      canChangeModels: this.canChangeModels,
      stateOf: () => this.states.get(hostId),
    };
  }
}

test('OC-POOL-3131 a reload is over when every host is there, and holds', () => {
  const hosts = new Hosts({ a: 1, b: 1 });
  expect(hosts.wish()).toBeUndefined();
  hosts.models.reload('default', targetOf('next', 'sha256:1'));
  expect(hosts.wish('b')).toEqual({
    pool_id: 'default',
    n: 1,
    model: { id: 'next', digest: 'sha256:1' },
  });
  hosts.say('a', 'done');
  expect(hosts.change).toBe('reload');
  hosts.say('b', 'done');
  expect(hosts.change).toBeUndefined();
  expect(hosts.wish()).toMatchObject({ n: 1, model: { id: 'next' } });
  expect(hosts.remembered).toEqual([
    { change: { kind: 'reload', model: { id: 'next', digest: 'sha256:1' } } },
    { model: { id: 'next', digest: 'sha256:1' } },
  ]);
});

test('OC-POOL-3132 when one host fails all go back, and it is told which and why', () => {
  const hosts = new Hosts({ a: 1, b: 1 });
  hosts.models.reload('default', targetOf('next'));
  hosts.say('a', 'done');
  hosts.say('b', 'failed', 'it is damaged');
  expect(hosts.change).toBe('rollback');
  expect(hosts.wish()).toEqual({ pool_id: 'default', n: 2 });
  expect(hosts.error).toBe(
    'next was not brought in, what the hosts are configured with serves on: host b: it is damaged',
  );
  hosts.say('a', 'done');
  hosts.say('b', 'done');
  expect(hosts.change).toBeUndefined();
  expect(hosts.error).toContain('it is damaged');
  hosts.models.reload('default', targetOf('other'));
  expect(hosts.error).toBeUndefined();
});

test('OC-POOL-3132 a reload is taken back by hand, once', () => {
  const hosts = new Hosts({ a: 1 }, { model: { id: 'before' } });
  hosts.models.reload('default', targetOf('next'));
  hosts.models.rollback('default');
  hosts.models.rollback('default');
  expect(hosts.changes).toBe(2);
  expect(hosts.wish()).toMatchObject({ model: { id: 'before' } });
  expect(hosts.error).toBe('next was not brought in, before serves on: it was rolled back');
  hosts.say('a', 'done');
  expect(() => hosts.models.rollback('default')).toThrow(/neither a canary nor a change/);
});

test('OC-POOL-3131 a host that is lost is not waited for', () => {
  const hosts = new Hosts({ a: 1, b: 1 });
  hosts.models.reload('default', targetOf('next'));
  hosts.say('a', 'done');
  hosts.lose('b');
  expect(hosts.change).toBeUndefined();
});

test('OC-POOL-3131 a reload whose hosts are all lost is not over', () => {
  const hosts = new Hosts({ a: 1 });
  hosts.models.reload('default', targetOf('next'));
  hosts.lose('a');
  expect(hosts.change).toBe('reload');
});

test('OC-POOL-3133 a host that cannot follow later is named, and changes nothing for the others', () => {
  const hosts = new Hosts({ a: 1 }, { model: { id: 'next' } });
  hosts.say('a', 'done');
  hosts.say('b', 'failed', 'it has no model next');
  expect(hosts.change).toBeUndefined();
  expect(hosts.wish('b')).toMatchObject({ model: { id: 'next' } });
  expect(hosts.error).toBe('host b serves another model: it has no model next');
});

test('OC-POOL-3132 OC-POOL-3133 what was under way when orchestratord ended goes back, a canary goes on', () => {
  const before = { id: 'before' };
  const reload = { kind: 'reload', model: { id: 'next' } } as const;
  const half = new Hosts({ a: 1 }, { model: before, change: reload });
  expect(half.change).toBe('rollback');
  expect(half.wish()).toEqual({ pool_id: 'default', n: 1, model: before });
  const canary = { kind: 'canary', model: { id: 'next' }, percent: 5, shares: { a: 1 } } as const;
  const tried = new Hosts({ a: 1 }, { model: before, change: canary });
  expect(tried.change).toBe('canary');
  expect(tried.wish()?.canary).toEqual({ model: { id: 'next' }, percent: 5, replicas: 1 });
});

test('OC-POOL-3134 the replicas of a canary are spread over the hosts, as far as they have some', () => {
  const sharesOf = (replicas: number) => {
    const hosts = new Hosts({ b: 3, a: 1, c: 0 });
    hosts.models.canary('default', targetOf('next'), { percent: 10, replicas });
    return ['a', 'b', 'c'].map((id) => hosts.wish(id)?.canary?.replicas ?? 0);
  };
  expect(sharesOf(1)).toEqual([1, 0, 0]);
  expect(sharesOf(2)).toEqual([1, 1, 0]);
  expect(sharesOf(4)).toEqual([1, 3, 0]);
  expect(sharesOf(9)).toEqual([1, 3, 0]);
});

test('OC-POOL-3134 a canary is promoted when each of its replicas is ready, on all hosts', () => {
  const hosts = new Hosts({ a: 1, b: 1 });
  expect(() => hosts.models.promote('default')).toThrow(/has no canary/);
  hosts.models.canary('default', targetOf('next'), { percent: 10, replicas: 1 });
  hosts.say('b', 'done');
  hosts.add('a.default-0.1', 10);
  expect(() => hosts.models.promote('default')).toThrow(/not ready/);
  hosts.say('a', 'done');
  expect(hosts.change).toBe('canary');
  hosts.models.promote('default');
  expect(hosts.change).toBe('promotion');
  expect(hosts.wish('b')).toEqual({ pool_id: 'default', n: 2, model: { id: 'next' } });
  hosts.say('a', 'done');
  hosts.say('b', 'done');
  expect(hosts.change).toBeUndefined();
});

test('OC-POOL-3134 a canary that is rolled back has not failed', () => {
  const hosts = new Hosts({ a: 1 });
  hosts.models.canary('default', targetOf('next'), { percent: 10, replicas: 1 });
  hosts.models.rollback('default');
  hosts.say('a', 'done');
  expect(hosts.error).toBeUndefined();
  hosts.models.canary('default', targetOf('next'), { percent: 10, replicas: 1 });
  hosts.say('a', 'failed', 'no memory');
  expect(hosts.error).toBe('the canary of next was removed: host a: no memory');
});

test('OC-POOL-3130 what cannot be changed is refused with why', () => {
  expect(() => new Hosts({}).models.reload('default', targetOf('next'))).toThrow(
    /no host that has registered/,
  );
  const old = new Hosts({ a: 1 });
  old.canChangeModels = false;
  expect(() => old.models.reload('default', targetOf('next'))).toThrow(/on host a, .* update it/);
  const busy = new Hosts({ a: 1 });
  busy.models.reload('default', targetOf('next'));
  expect(() => busy.models.reload('default', targetOf('next'))).toThrow(/is changing its model/);
  const empty = new Hosts({ a: 0 });
  const share = { percent: 1, replicas: 1 };
  expect(() => empty.models.canary('default', targetOf('next'), share)).toThrow(/is not loaded/);
});
