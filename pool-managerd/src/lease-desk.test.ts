import { expect, test } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { LeaseDesk } from './lease-desk.ts';

test('a desk that is closed keeps no timer, whatever is given back to it later', () => {
  const clock = new VirtualClock();
  const desk = new LeaseDesk(clock, 1000, () => undefined);
  const lease = desk.acquire('r-0', 'a')!;
  desk.acquire('r-1', 'a');
  desk.close();
  desk.release(lease);
  expect(clock.pending).toBe(0);
  expect(desk.isHeld('r-0')).toBe(false);
});
