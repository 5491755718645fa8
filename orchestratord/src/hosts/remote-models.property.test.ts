/** Changes of the model of a pool on hosts that know different models, while hosts and network fail. */
import { OrchError } from '@llama-orch/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HostWorld } from './testing/host-world.ts';

/** Models that every host can serve, that one has not heard of, and that does not come up on another. */
const GOOD = ['m', 'next'];
const MODELS = [...GOOD, 'rare', 'damaged'];
const HOSTS = [
  { rate: 1.02, replicas: 2, models: ['m', 'next', 'rare', 'damaged'] },
  { rate: 0.98, replicas: 1, models: ['m', 'next', 'damaged'], broken: ['damaged'] },
];
const REPLICAS = 3;

const operation = fc.oneof(
  fc.record({ type: fc.constant('reload' as const), model: fc.constantFrom(...MODELS) }),
  fc.record({
    type: fc.constant('canary' as const),
    model: fc.constantFrom(...MODELS),
    replicas: fc.integer({ min: 1, max: REPLICAS }),
  }),
  fc.record({ type: fc.constantFrom('promote' as const, 'rollback' as const) }),
);

const disturbance = fc.oneof(
  { weight: 8, arbitrary: operation },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(3_000) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom(
        'partition' as const,
        'heal' as const,
        'restart-host' as const,
        'crash-engine' as const,
      ),
      host: fc.nat(HOSTS.length - 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart-orchestratord' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('network' as const),
      lossRate: fc.constantFrom(0, 0.1, 0.4),
      maxDelayMs: fc.constantFrom(1, 50, 400),
    }),
  },
);
type Disturbance = typeof disturbance extends fc.Arbitrary<infer T> ? T : never;

function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const targetOf = (modelId: string) => ({ modelId, modelPath: undefined, modelDigest: undefined });

/** What an operator does may be refused, but only as a conflict. */
function operate({ fleet }: HostWorld, act: Disturbance): void {
  try {
    if (act.type === 'reload') fleet.reload('default', targetOf(act.model));
    if (act.type === 'canary')
      fleet.canary('default', targetOf(act.model), { percent: 10, replicas: act.replicas });
    if (act.type === 'promote') fleet.promote('default');
    if (act.type === 'rollback') fleet.rollback('default');
  } catch (error) {
    if (!(error instanceof OrchError) || error.kind !== 'CONFLICT') throw error;
  }
}

function disturb(world: HostWorld, act: Disturbance): void {
  const host = 'host' in act ? world.hosts[act.host] : undefined;
  if (act.type === 'partition') world.network.partition(host?.hostId ?? '');
  if (act.type === 'heal') world.network.heal(host?.hostId ?? '');
  if (act.type === 'restart-host') host?.restart();
  if (act.type === 'crash-engine') host?.crashEngine();
  if (act.type === 'restart-orchestratord') world.restartOrchestratord();
  if (act.type === 'network') {
    world.network.lossRate = act.lossRate;
    world.network.maxDelayMs = act.maxDelayMs;
  }
  operate(world, act);
}

function calm({ network, hosts }: HostWorld): void {
  for (const { hostId } of hosts) network.heal(hostId);
  network.lossRate = 0;
  network.maxDelayMs = 5;
}

const modelsOf = ({ fleet }: HostWorld) => new Set(fleet.replicas('default').map((r) => r.modelId));

test('OC-POOL-3131 OC-POOL-3132 OC-POOL-3133 whatever happens to a change, in the end all hosts serve one model or it is told which does not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(disturbance, { minLength: 5, maxLength: 30 }),
      fc.constantFrom(...GOOD),
      async (seed, acts, last) => {
        const world = new HostWorld(numbersFrom(seed), HOSTS);
        await world.clock.advance(500);
        for (const act of acts) {
          disturb(world, act);
          await world.clock.advance(act.type === 'pass' ? act.ms : 20);
          expect(world.counter.violations).toEqual([]);
        }
        calm(world);
        // Generations last three seconds, and what runs on a replica that goes finishes there.
        await world.clock.advance(30_000);
        if (world.fleet.health('default').change?.kind === 'canary') {
          operate(world, { type: 'rollback' });
          await world.clock.advance(15_000);
        }
        const health = world.fleet.health('default');
        expect(health.change).toBeUndefined();
        expect(world.readyReplicas()).toBe(REPLICAS);
        expect(health.replicas).toHaveLength(REPLICAS);
        expect(health.replicas.filter((each) => each.canaryPercent !== undefined)).toEqual([]);
        if (!(health.changeError ?? '').includes('serves another model'))
          expect(modelsOf(world).size).toBe(1);

        world.fleet.reload('default', targetOf(last));
        await world.clock.advance(30_000);
        expect(modelsOf(world)).toEqual(new Set([last]));
        expect(world.fleet.health('default').changeError).toBeUndefined();
        const { completed } = world;
        await world.clock.advance(8_000);
        expect(world.completed).toBeGreaterThan(completed);
        expect(world.counter.violations).toEqual([]);
      },
    ),
    { numRuns: 40 },
  );
}, 240_000);
