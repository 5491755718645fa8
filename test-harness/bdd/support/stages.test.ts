/** Who shares a daemon with whom (OC-TEST-7705). The daemons are stand-ins that count what is done to them. */
import { expect, test } from 'vitest';
import { EMPTY_SET_UP, newPool, type SetUp } from './set-up.ts';
import { Stages, type SharedStage } from './stages.ts';

const ONE: SetUp = { ...EMPTY_SET_UP, pools: [newPool({ slots: 1 })] };
const withSlots = (slots: number): SetUp => ({ ...EMPTY_SET_UP, pools: [newPool({ slots })] });

class CountedStage implements SharedStage {
  tidied = 0;
  isEnded = false;
  readonly setUp: SetUp;

  constructor(setUp: SetUp) {
    this.setUp = setUp;
  }

  async tidy(): Promise<void> {
    this.tidied += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isEnded = true;
  }
}

const newStages = () => new Stages(async (setUp) => new CountedStage(setUp));

test('OC-TEST-7705 scenarios alike of one feature share a daemon, tidied in between', async () => {
  const stages = newStages();
  await stages.enter('a.feature');
  const first = await stages.take(ONE, false);
  await stages.giveBack(first);
  await stages.enter('a.feature');
  expect(await stages.take(withSlots(1), false)).toBe(first);
  expect([first.tidied, first.isEnded]).toEqual([1, false]);
});

test('OC-TEST-7705 nobody is given a daemon that is in use, of another set-up, or for its own', async () => {
  const stages = newStages();
  await stages.enter('a.feature');
  const first = await stages.take(ONE, false);
  expect(await stages.take(ONE, false)).not.toBe(first);
  await stages.giveBack(first);
  expect(await stages.take(withSlots(2), false)).not.toBe(first);
  expect(await stages.take(ONE, true)).not.toBe(first);
});

test('OC-TEST-7705 the daemons of a feature end with it, and the oldest of many before', async () => {
  const stages = newStages();
  await stages.enter('a.feature');
  const used = await Promise.all([1, 2, 3, 4].map((slots) => stages.take(withSlots(slots), false)));
  for (const stage of used) await stages.giveBack(stage);
  expect(used.map(({ isEnded }) => isEnded)).toEqual([true, false, false, false]);
  await stages.enter('b.feature');
  expect(used.every(({ isEnded }) => isEnded)).toBe(true);
});
