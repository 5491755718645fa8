/** A pool of replica machines that share a permit, against a model of what a circuit breaker promises. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProbePermit } from './circuit-breaker.ts';
import { poolSettings } from './pool-config.ts';
import { newReplica, transition } from './replica-machine.ts';
import type { ReplicaInput, ReplicaMachine } from './replica-machine-types.ts';

const REPLICAS = 3;
const { probe, restart, killGraceMs } = poolSettings({
  id: 'p',
  engine: 'llamacpp',
  launch: 'embedded',
  modelId: 'm',
  modelPath: '/m.gguf',
  ctx: 1024,
  restart: { maxInWindow: 1000, windowMs: 10_000, openAfter: 3, coolDownMs: 2000, maxMs: 500 },
});

interface Model {
  failuresAtMs: number[];
  /** Of the failure that opened it last; undefined while closed. */
  openedAtMs: number | undefined;
  isTrying: boolean;
}

class World {
  readonly #jitter: () => number;
  readonly #permit = new ProbePermit();
  readonly machines: ReplicaMachine[] = [];
  readonly models: Model[] = [];
  readonly #waitUntilMs = Array<number | undefined>(REPLICAS).fill(undefined);
  #nowMs = 0;

  constructor(jitter: () => number) {
    this.#jitter = jitter;
    for (let i = 0; i < REPLICAS; i++) {
      this.machines.push(newReplica(true));
      this.models.push({ failuresAtMs: [], openedAtMs: undefined, isTrying: false });
      this.send(i, { type: 'start' });
    }
  }

  send(i: number, input: ReplicaInput): void {
    const before = this.machines[i]!;
    const { machine, actions } = transition(before, input, {
      nowMs: this.#nowMs,
      probe,
      restart,
      killGraceMs,
      jitter: this.#jitter,
      bookRestart: (delayMs) => delayMs,
      takeProbe: () => this.#permit.take(String(i)),
    });
    this.machines[i] = machine;
    if (machine.breaker.state !== 'half-open') this.#permit.release(String(i));
    for (const action of actions) {
      if (action.type === 'wait') this.#waitUntilMs[i] = this.#nowMs + action.delayMs;
      if (action.type === 'launch') this.#launched(i, this.models[i]!);
    }
    this.#follow(this.models[i]!, input, before, machine);
    this.#check();
  }

  /** Lets time pass; `onStart` says what becomes of whatever starts. */
  advance(ms: number, onStart: (i: number) => void): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = Math.min(...this.#waitUntilMs.map((at) => at ?? Infinity));
      if (due > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, due);
      const i = this.#waitUntilMs.findIndex((at) => at === due);
      this.#waitUntilMs[i] = undefined;
      this.send(i, { type: 'wait-over' });
      if (this.machines[i]!.state === 'starting') onStart(i);
    }
    this.#nowMs = endMs;
  }

  #launched(i: number, model: Model): void {
    if (model.openedAtMs === undefined) return;
    expect(this.#nowMs).toBeGreaterThanOrEqual(model.openedAtMs + restart.coolDownMs);
    expect(this.#permit.take(String(i))).toBe(true);
    model.isTrying = true;
  }

  #follow(model: Model, input: ReplicaInput, before: ReplicaMachine, after: ReplicaMachine): void {
    if (input.type === 'broken' && after.restarts > before.restarts) {
      const since = this.#nowMs - restart.windowMs;
      model.failuresAtMs = [...model.failuresAtMs.filter((at) => at > since), this.#nowMs];
      const isTooMany = model.failuresAtMs.length >= restart.openAfter;
      if (model.openedAtMs !== undefined || isTooMany) model.openedAtMs = this.#nowMs;
      model.isTrying = false;
    }
    // It never ran, which proves nothing: another may try.
    if (input.type === 'refused' && before.state === 'starting') model.isTrying = false;
    if (input.type === 'passed' && model.isTrying) {
      Object.assign(model, { failuresAtMs: [], openedAtMs: undefined, isTrying: false });
    }
  }

  #check(): void {
    const trying = this.machines.filter(({ breaker }) => breaker.state === 'half-open');
    expect(trying.length).toBeLessThanOrEqual(1);
    for (const [i, { breaker }] of this.machines.entries()) {
      const { openedAtMs, isTrying } = this.models[i]!;
      const expected = openedAtMs === undefined ? 'closed' : isTrying ? 'half-open' : 'open';
      expect(breaker.state).toBe(expected);
    }
  }
}

const pass: readonly ReplicaInput[] = [
  { type: 'launched' },
  { type: 'loaded' },
  { type: 'passed' },
];
const exit: ReplicaInput = { type: 'broken', reason: 'exit', detail: 'x' };
const replica = fc.nat({ max: REPLICAS - 1 });
const op = fc.oneof(
  fc.record({ kind: fc.constant('exit' as const), i: replica }),
  fc.record({ kind: fc.constant('pass' as const), i: replica }),
  fc.record({ kind: fc.constant('refuse' as const), i: replica }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.nat({ max: 3000 }) }),
);

test('ORCH-3040 OC-POOL-3018 an open breaker waits out its cool-down, and one replica of a pool tries at a time', () => {
  fc.assert(
    fc.property(
      fc.array(op, { maxLength: 120, size: 'max' }),
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 7 }),
      (ops, chances) => {
        let turn = 0;
        const world = new World(() => chances[turn++ % chances.length] ?? 0);
        for (const each of ops) {
          if (each.kind === 'advance') world.advance(each.ms, () => undefined);
          else if (each.kind === 'exit') world.send(each.i, exit);
          else if (each.kind === 'refuse') world.send(each.i, { type: 'refused', detail: 'm' });
          else for (const input of pass) world.send(each.i, input);
        }
        // The fault is over: whatever starts from here on passes, and everybody comes back.
        const comesUp = (i: number): void => {
          for (const input of pass) world.send(i, input);
        };
        for (let i = 0; i < REPLICAS; i++) comesUp(i);
        for (let n = 0; n < 100; n++) world.advance(restart.coolDownMs, comesUp);
        expect(world.machines.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready']);
      },
    ),
    { numRuns: 200 },
  );
});
