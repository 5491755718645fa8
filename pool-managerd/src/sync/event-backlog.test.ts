import { expect, test } from 'vitest';
import { EventBacklog } from './event-backlog.ts';

const granted = (replicaId: string) =>
  ({ type: 'lease', poolId: 'default', replicaId, event: 'granted' }) as const;

test('OC-POOL-3102 of more events than a sync may carry the oldest are given up, and counted', () => {
  const backlog = new EventBacklog('gpu-a');
  for (let n = 0; n < 300; n += 1) backlog.note(granted(`default-${n}`));
  expect(backlog.events).toHaveLength(256);
  expect(backlog.dropped).toBe(44);
  expect(backlog.events[0]).toMatchObject({ n: 45, replica_id: 'gpu-a.default-44' });
  expect(backlog.events.at(-1)).toMatchObject({ n: 300, replica_id: 'gpu-a.default-299' });
});

test('OC-POOL-3102 events are sent until acknowledged, and their numbers are not used again', () => {
  const backlog = new EventBacklog('gpu-a');
  for (let n = 0; n < 3; n += 1) backlog.note(granted('default-0'));
  backlog.acknowledge(2);
  expect(backlog.events.map(({ n }) => n)).toEqual([3]);
  backlog.acknowledge(3);
  backlog.note(granted('default-0'));
  expect(backlog.events.map(({ n }) => n)).toEqual([4]);
  expect(backlog.dropped).toBe(0);
});

test('that a lease was renewed is no event', () => {
  const backlog = new EventBacklog('gpu-a');
  backlog.note({ ...granted('default-0'), event: 'renewed' });
  expect(backlog.events).toEqual([]);
});
