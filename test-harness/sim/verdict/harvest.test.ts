import { expect, test } from 'vitest';
import { interactiveFirst } from '../policies/central.ts';
import type { NamedPolicy } from '../policy.ts';
import { request } from '../testing/tiny-trace.ts';
import { DEFAULT_SCENARIO, type Scenario } from '../world.ts';
import { harvest, spareCapacity } from './harvest.ts';

const FLEET: Scenario = { ...DEFAULT_SCENARIO, replicas: 2 };
const INTERACTIVE = Array.from({ length: 200 }, (_, row) =>
  request({ arrivalMs: row * 150, promptTokens: 800, outputTokens: 40 }),
);
const BACKLOG = Array.from({ length: 600 }, () =>
  request({ promptTokens: 2_500, outputTokens: 60, priority: 'batch' }),
);
const TERMS = {
  slo: { ttftMs: 1_000, tpotMs: 200 },
  spare: spareCapacity(INTERACTIVE, BACKLOG, FLEET),
};

test('OC-SIM-7231 filling every step harvests the spare capacity, and no more than it', () => {
  const { share, goodputAlone, onTimeBeside } = harvest(
    INTERACTIVE,
    BACKLOG,
    FLEET,
    TERMS,
    interactiveFirst,
  );
  expect(share).toBeGreaterThan(0.93);
  expect(share).toBeLessThan(1.02);
  expect(goodputAlone).toBe(1);
  expect(onTimeBeside).toBeGreaterThan(0.95);
});

test('batch work that waits for an empty fleet harvests little', () => {
  const shy: NamedPolicy = {
    name: 'shy',
    about: '',
    create(fleet) {
      const batch: number[] = [];
      let running = 0;
      const fill = () => {
        const next = running === 0 ? batch.shift() : undefined;
        if (next !== undefined) send(next);
      };
      const send = (id: number) => {
        running += 1;
        fleet.dispatch(id, id % 2);
      };
      return {
        arrived: ({ id, priority }) => {
          if (priority === 'batch') batch.push(id);
          else send(id);
          fill();
        },
        finished: () => {
          running -= 1;
          fill();
        },
      };
    },
  };
  expect(harvest(INTERACTIVE, BACKLOG, FLEET, TERMS, shy).share).toBeLessThan(0.9);
});
