import { expect, test } from 'vitest';
import { generateTrace } from './generated-trace.ts';
import { A100_8B, idlePrefillMs } from './iteration-time.ts';
import { POLICIES } from './policies/catalogue.ts';
import { minTtft, roundRobin } from './policies/push.ts';
import type { Fleet, NamedPolicy, Policy, RouterRequest } from './policy.ts';
import { request } from './testing/tiny-trace.ts';
import { DEFAULT_SCENARIO, simulate, type Scenario } from './world.ts';

const TWO: Scenario = { ...DEFAULT_SCENARIO, replicas: 2, cacheTokens: 100_000 };

function policy(create: (fleet: Fleet) => Policy): NamedPolicy {
  return { name: 'test', about: '', create };
}

test.each(POLICIES)('OC-SIM-7202 two runs under $name are equal to the last bit', (named) => {
  const trace = generateTrace({ requests: 150 });
  const noisy = { ...TWO, noise: 0.2, slowdowns: [2] };
  expect(simulate(trace, noisy, named)).toEqual(simulate(trace, noisy, named));
});

test.each(POLICIES)('$name answers every request of the generated trace', (named) => {
  const trace = generateTrace({ requests: 300 });
  const { records } = simulate(trace, TWO, named);
  for (const record of records) {
    const isServed = record.finishMs >= record.firstTokenMs;
    expect(isServed !== record.rejectedMs >= 0).toBe(true);
  }
});

test('OC-SIM-7203 noise is drawn by replica and step: another seed gives another run', () => {
  const trace = generateTrace({ requests: 50 });
  const run = (seed: number) => simulate(trace, { ...TWO, noise: 0.2, seed }, roundRobin);
  expect(run(1)).not.toEqual(run(2));
});

test('OC-SIM-7205 a policy sees nothing of an answer before it comes', () => {
  const seen: RouterRequest[] = [];
  const spy = policy((fleet) => ({
    arrived(arrived) {
      seen.push(arrived);
      fleet.dispatch(arrived.id, 0);
    },
  }));
  simulate([request({ outputTokens: 4321, ttftSloMs: 50, maxTokens: 9999 })], TWO, spy);
  expect(seen).toEqual([
    {
      id: 0,
      arrivalMs: 0,
      promptTokens: 1000,
      blocks: [],
      tenant: 'default',
      priority: 'interactive',
      firstTokenByMs: 50,
      maxTokens: 9999,
    },
  ]);
});

test('the truth about replicas is there only where signals are exact', () => {
  const truths: boolean[] = [];
  const spy = policy((fleet) => {
    truths.push(fleet.truth !== undefined);
    return { arrived: ({ id }) => fleet.dispatch(id, 0) };
  });
  simulate([request()], TWO, spy);
  simulate([request()], { ...TWO, signalPeriodMs: 0 }, spy);
  expect(truths).toEqual([false, true]);
});

test('what is dispatched at one instant shares the next step', () => {
  const rows = [0, 1, 2].map(() => request({ promptTokens: 600, outputTokens: 1 }));
  const { records } = simulate(rows, { ...TWO, replicas: 1 }, roundRobin);
  expect(new Set(records.map(({ firstTokenMs }) => firstTokenMs)).size).toBe(1);
});

test('a held request can be dispatched at a time of the policy’s own', () => {
  const late = policy((fleet) => {
    let heldId: number | undefined;
    return {
      arrived({ id }) {
        heldId = id;
      },
      wake() {
        if (heldId !== undefined) fleet.dispatch(heldId, 1);
        heldId = undefined;
      },
      nextWakeMs: () => (heldId === undefined ? undefined : 500),
    };
  });
  const { records, idleWhileHeldMs } = simulate([request()], TWO, late);
  expect(records[0]).toMatchObject({ dispatchMs: 500, replica: 1 });
  expect(records[0]?.firstTokenMs).toBeCloseTo(500 + idlePrefillMs(A100_8B, 1000, 0, 2048), 9);
  expect(idleWhileHeldMs).toBe(2 * 500);
});

test('OC-SIM-7204 a preempted request goes on where it stopped and pays for its prefill again', () => {
  const notices: string[] = [];
  let preempted = false;
  const preempting = policy((fleet) => ({
    arrived: ({ id }) => fleet.dispatch(id, 0),
    firstToken: (id, replica) => notices.push(`first ${id} on ${replica}`),
    aborted(id, replica, produced) {
      notices.push(`aborted ${id} on ${replica} after ${produced}`);
      expect(fleet.producedTokens(id)).toBe(produced);
      fleet.dispatch(id, 1);
    },
    finished: (id, replica, { outputTokens }) =>
      notices.push(`finished ${id} on ${replica} with ${outputTokens}`),
    wake() {
      preempted = true;
      fleet.abort(0);
    },
    nextWakeMs: () => (preempted ? undefined : 300),
  }));
  const { records } = simulate([request({ outputTokens: 100 })], TWO, preempting);
  expect(notices).toEqual([
    'first 0 on 0',
    expect.stringMatching(/^aborted 0 on 0 after (19|20|21)$/),
    'finished 0 on 1 with 100',
  ]);
  expect(records[0]?.preemptions).toBe(1);
});

test.each<[string, (fleet: Fleet) => Policy, string]>([
  [
    'dispatch twice',
    (fleet) => ({
      arrived({ id }) {
        fleet.dispatch(id, 0);
        fleet.dispatch(id, 1);
      },
    }),
    'cannot dispatch request 0: it is dispatched',
  ],
  [
    'use a replica that is not there',
    (fleet) => ({ arrived: ({ id }) => fleet.dispatch(id, 9) }),
    'no replica 9',
  ],
  ['see the future', (fleet) => ({ arrived: () => fleet.dispatch(1, 0) }), 'it is unseen'],
  ['forget a request', () => ({ arrived: () => undefined }), 'left 1 requests unanswered'],
  [
    'refuse what runs',
    (fleet) => ({
      arrived({ id }) {
        fleet.dispatch(id, 0);
        fleet.reject(id);
      },
    }),
    'cannot reject request 0',
  ],
  [
    'stop the clock',
    (fleet) => ({
      arrived: ({ id }) => fleet.dispatch(id, 0),
      wake: () => undefined,
      nextWakeMs: () => 0,
    }),
    'asks to be woken',
  ],
])('a policy cannot %s', (_what, create, message) => {
  const rows = message.includes('unseen') ? [request(), request({ arrivalMs: 9 })] : [request()];
  expect(() => simulate(rows, TWO, policy(create))).toThrow(message);
});

test('a replica twice as slow is used less by who looks at times', () => {
  const trace = generateTrace({ requests: 300, meanGapMs: 120 });
  const { records } = simulate(trace, { ...TWO, slowdowns: [3] }, minTtft);
  const onSlow = records.filter(({ replica }) => replica === 0).length;
  expect(onSlow).toBeLessThan(0.4 * records.length);
});
