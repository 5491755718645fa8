import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newReplica, transition } from './replica-machine.ts';
import type {
  ReplicaInput,
  ReplicaMachine,
  Transition,
  TransitionContext,
} from './replica-machine-types.ts';
import { poolSettings } from './pool-config.ts';
import type { ReplicaState } from './types.ts';

const pool = poolSettings({
  id: 'p',
  engine: 'llamacpp',
  launch: 'embedded',
  modelId: 'm',
  modelPath: '/m.gguf',
  ctx: 1024,
  restart: { maxInWindow: 3, windowMs: 1000, stableMs: 500 },
});

function context(nowMs = 0): TransitionContext {
  return {
    nowMs,
    probe: pool.probe,
    restart: pool.restart,
    killGraceMs: pool.killGraceMs,
    jitter: () => 0.5,
    bookRestart: (delayMs) => delayMs,
    takeProbe: () => true,
  };
}

function play(machine: ReplicaMachine, inputs: readonly ReplicaInput[], nowMs = 0): Transition {
  return inputs.reduce<Transition>(
    (last, input) => transition(last.machine, input, context(nowMs)),
    { machine, actions: [] },
  );
}

const TO_READY: readonly ReplicaInput[] = [
  { type: 'launched' },
  { type: 'loaded' },
  { type: 'passed' },
];
const ready = play(newReplica(true), TO_READY).machine;
const readyEndpoint = play(newReplica(false), TO_READY).machine;
const failProbe: ReplicaInput = { type: 'probe-failed', detail: 'no answer' };
const exit: ReplicaInput = { type: 'broken', reason: 'exit', detail: 'exited with code 1' };

describe('on the way to ready', () => {
  test('ORCH-3002 ready is reached only through loading and the self-test', () => {
    const seen: ReplicaState[] = [];
    let machine = newReplica(true);
    for (const input of TO_READY) {
      seen.push(machine.state);
      machine = transition(machine, input, context()).machine;
    }
    expect([...seen, machine.state]).toEqual(['starting', 'loading', 'self-test', 'ready']);
  });

  test('an owned misfit fails for good, a misfit endpoint may be put right by its owner', () => {
    const misfit: ReplicaInput = { type: 'misfit', detail: 'context too small' };
    const owned = play(newReplica(true), [...TO_READY.slice(0, 2), misfit]);
    const endpoint = play(newReplica(false), [...TO_READY.slice(0, 2), misfit]);
    expect(owned.machine).toMatchObject({
      state: 'failed',
      lastError: { message: 'context too small' },
    });
    expect(endpoint.machine.state).toBe('unready');
  });
});

describe('probing', () => {
  test('one failed probe is forgiven, the second stops new work, the fourth replaces the process', () => {
    const states = [1, 2, 3, 4].map(
      (count) => play(ready, Array<ReplicaInput>(count).fill(failProbe)).machine.state,
    );
    expect(states).toEqual(['ready', 'unready', 'unready', 'backoff']);
  });

  test('a good probe makes an unready replica ready again', () => {
    const { machine } = play(ready, [failProbe, failProbe, { type: 'probe-ok' }]);
    expect(machine).toMatchObject({ state: 'ready', failedProbes: 0 });
  });

  test('an accused connection needs a single failed probe', () => {
    const accused: ReplicaInput = { type: 'suspected', suspicion: 'connection', detail: 'reset' };
    const probed = play(ready, [accused]);
    expect(probed.machine.state).toBe('ready');
    expect(probed.actions).toEqual([{ type: 'probe', kind: 'health', delayMs: 0 }]);
    expect(play(ready, [accused, failProbe]).machine.state).toBe('unready');
  });

  test('a replica suspected of hanging takes no work while one token is asked of it', () => {
    const hung = play(ready, [{ type: 'suspected', suspicion: 'hung', detail: 'idle' }]);
    expect(hung.machine.state).toBe('unready');
    expect(hung.actions).toEqual([{ type: 'probe', kind: 'decode', delayMs: 0 }]);
  });

  test('garbage replaces the process without further questions', () => {
    const garbage = play(ready, [{ type: 'suspected', suspicion: 'garbage', detail: 'not JSON' }]);
    expect(garbage.machine.state).toBe('backoff');
    expect(garbage.actions.map(({ type }) => type)).toEqual(['discard', 'report-restart', 'wait']);
  });
});

describe('restarting', () => {
  test('delays double with every failure in a row', () => {
    let machine = ready;
    const delays: number[] = [];
    for (let life = 0; life < 3; life++) {
      const ended = play(machine, [exit]);
      const wait = ended.actions.find((action) => action.type === 'wait');
      delays.push(wait?.delayMs ?? -1);
      machine = play(ended.machine, [{ type: 'wait-over' }, ...TO_READY]).machine;
    }
    expect(delays).toEqual([125, 250, 500]);
  });

  test('ORCH-3053 OC-POOL-3011 a spent budget ends in failed, and only an operator brings the replica back', () => {
    const again: ReplicaInput[] = [exit, { type: 'wait-over' }, ...TO_READY];
    const spent = play(ready, [...again, ...again, ...again, exit]);
    expect(spent.machine.state).toBe('failed');
    expect(spent.machine.lastError?.message).toContain('gave up after 3 restarts');
    expect(play(spent.machine, [{ type: 'wait-over' }, ...TO_READY]).machine.state).toBe('failed');
    const revived = play(spent.machine, [{ type: 'undrain' }]);
    expect(revived.machine).toMatchObject({ state: 'starting', restartsAtMs: [] });
    expect(revived.actions).toEqual([{ type: 'launch' }]);
  });

  test('a stable period forgives earlier failures', () => {
    const once = play(ready, [exit, { type: 'wait-over' }, ...TO_READY]).machine;
    expect(once.failures).toBe(1);
    expect(play(once, [exit], 499).machine.failures).toBe(2);
    expect(play(once, [exit], 500).machine.failures).toBe(1);
  });
});

describe('an external endpoint', () => {
  const down = play(readyEndpoint, Array<ReplicaInput>(4).fill(failProbe));

  test('is never failed: it is probed with growing delays for as long as it takes', () => {
    let machine = down.machine;
    const delays: number[] = [];
    for (let probe = 0; probe < 12; probe++) {
      const next = play(machine, [failProbe]);
      const [action] = next.actions;
      if (action?.type === 'probe') delays.push(action.delayMs);
      machine = next.machine;
    }
    expect(machine.state).toBe('unready');
    expect(delays.slice(0, 3)).toEqual([500, 1000, 2000].map((ms) => ms / 2));
    expect(delays.at(-1)).toBe(15_000);
  });

  test('passes the self-test again after it was given up', () => {
    const back = play(down.machine, [{ type: 'probe-ok' }]);
    expect(back.machine.state).toBe('self-test');
    expect(play(back.machine, [{ type: 'passed' }]).machine.state).toBe('ready');
  });
});

describe('OC-POOL-3017 draining', () => {
  test('takes nothing new until it is reverted', () => {
    const draining = play(ready, [{ type: 'drain' }]).machine;
    expect(draining.state).toBe('draining');
    expect(play(draining, [{ type: 'undrain' }]).machine.state).toBe('ready');
  });

  test('is remembered across a restart', () => {
    const { machine } = play(ready, [{ type: 'drain' }, exit, { type: 'wait-over' }, ...TO_READY]);
    expect(machine.state).toBe('draining');
  });
});

describe('for any sequence of inputs', () => {
  const input: fc.Arbitrary<ReplicaInput> = fc.constantFrom<ReplicaInput>(
    { type: 'launched' },
    { type: 'answered' },
    { type: 'loaded' },
    { type: 'passed' },
    { type: 'misfit', detail: 'm' },
    exit,
    { type: 'probe-ok' },
    failProbe,
    { type: 'suspected', suspicion: 'connection', detail: 's' },
    { type: 'suspected', suspicion: 'garbage', detail: 's' },
    { type: 'suspected', suspicion: 'hung', detail: 's' },
    { type: 'wait-over' },
    { type: 'drain' },
    { type: 'undrain' },
  );
  const walk = fc.tuple(fc.boolean(), fc.array(input, { maxLength: 200, size: 'max' }));

  test('ORCH-3010 a replica is ready only directly after a self-test, a good probe or undrain', () => {
    fc.assert(
      fc.property(walk, ([owned, inputs]) => {
        let machine = newReplica(owned);
        for (const step of inputs) {
          const { machine: next } = transition(machine, step, context());
          if (next.state === 'ready' && machine.state !== 'ready')
            expect(['passed', 'probe-ok', 'undrain']).toContain(step.type);
          if (next.state === 'ready') expect(next.draining).toBe(false);
          machine = next;
        }
      }),
    );
  });

  test('ORCH-3053 OC-POOL-3011 restarts stay within the budget, and an endpoint is never restarted', () => {
    fc.assert(
      fc.property(walk, ([owned, inputs]) => {
        const steps = inputs.filter(({ type }) => type !== 'undrain');
        const { machine } = play(newReplica(owned), steps);
        expect(machine.restarts).toBeLessThanOrEqual(owned ? 3 : 0);
        if (!owned) expect(['failed', 'backoff']).not.toContain(machine.state);
      }),
    );
  });

  test('a live replica always has something pending that can move it on', () => {
    const moving: Partial<Record<ReplicaState, string>> = {
      starting: 'launch',
      loading: 'await-load',
      'self-test': 'self-test',
      unready: 'probe',
      backoff: 'wait',
    };
    fc.assert(
      fc.property(walk, ([owned, inputs]) => {
        let machine = newReplica(owned);
        for (const step of inputs) {
          const { machine: next, actions } = transition(machine, step, context());
          const needed = moving[next.state];
          if (next.state !== machine.state && needed !== undefined)
            expect(actions.map(({ type }) => type)).toContain(needed);
          machine = next;
        }
      }),
    );
  });

  test('stop is final', () => {
    fc.assert(
      fc.property(walk, ([owned, inputs]) => {
        const stopped = play(newReplica(owned), [{ type: 'stop', graceMs: 1 }]).machine;
        expect(play(stopped, inputs)).toEqual({ machine: stopped, actions: [] });
      }),
    );
  });
});
