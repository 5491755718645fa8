import { expect, test } from 'vitest';
import { createFakeModel } from './fake-token-model.ts';
import { createSlotBoard, type SlotBoard } from './slots.ts';

const never = new AbortController().signal;
const open = (slots: number, maxDeferred = 8): SlotBoard =>
  createSlotBoard(createFakeModel({ slots }).sequences, { chunk: 2, maxDeferred });

test('OC-EMBED-4130 the slot with the longest reusable prefix is taken, else the one unused for longest', async () => {
  const board = open(3);
  for (const slot of board.slots) board.release(await board.acquire([slot.id], slot.id, never));
  board.slots[1]!.canonical = [1, 2, 3, 4];
  board.slots[2]!.canonical = [1, 2, 9, 9];
  expect((await board.acquire([1, 2, 3, 4, 5], undefined, never)).id).toBe(1);
  expect((await board.acquire([1, 2, 3, 4, 5], undefined, never)).id).toBe(2);
  expect((await board.acquire([7, 7], undefined, never)).id).toBe(0);
});

test('a pin counts modulo the slots and waits for that slot even when others are free', async () => {
  const board = open(2);
  const one = await board.acquire([1], 7, never);
  expect(one.id).toBe(1);
  const pinned = board.acquire([1], 1, never);
  expect(board.deferredCount).toBe(1);
  board.release(one);
  expect((await pinned).id).toBe(1);
});

test('a freed slot goes to who is pinned to it, then to the oldest without a pin', async () => {
  const board = open(1);
  const slot = await board.acquire([1], undefined, never);
  const order: string[] = [];
  const wait = async (name: string, pin?: number) => {
    const granted = await board.acquire([1], pin, never);
    order.push(name);
    board.release(granted);
  };
  const all = [wait('first'), wait('second'), wait('pinned', 0)];
  board.release(slot);
  await Promise.all(all);
  expect(order).toEqual(['pinned', 'first', 'second']);
  expect(board.busyCount).toBe(0);
});

test('OC-EMBED-4131 no more than the bound may wait', async () => {
  const board = open(1, 1);
  await board.acquire([1], undefined, never);
  void board.acquire([1], undefined, never);
  await expect(board.acquire([1], undefined, never)).rejects.toMatchObject({
    type: 'unavailable_error',
  });
});

test('a waiter that gives up leaves the queue and takes no slot', async () => {
  const board = open(1);
  const slot = await board.acquire([1], undefined, never);
  const abort = new AbortController();
  const waiting = board.acquire([1], undefined, abort.signal);
  abort.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  expect(board.deferredCount).toBe(0);
  board.release(slot);
  expect(board.busyCount).toBe(0);
});
