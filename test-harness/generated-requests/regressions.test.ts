/** What generated requests have found, as single requests. */
import { headerCheck } from '@llama-orch/contracts/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exchangeCase } from './exchange-case.ts';
import { readContracts } from './generators.ts';
import { startTarget, TASK_IDS, type RunningTarget } from './target.ts';

const checkHeaders = headerCheck(await readContracts());
let target: RunningTarget;
beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target[Symbol.asyncDispose]());

test.each(['9185734444444444', '9007199254740993', '9999999999999999'])(
  'OC-CTRL-2021 Last-Event-ID %s, which the contract allows and no event has, is behind all events',
  async (id) => {
    const headers = { 'Last-Event-ID': id };
    const events = { operationId: 'listEvents', path: {}, query: [], headers } as const;
    expect(await exchangeCase(events, target, checkHeaders)).toMatchObject({ status: 200 });
    const path = { id: TASK_IDS[0] ?? '' };
    const stream = { operationId: 'streamTask', path, query: [], headers } as const;
    expect(await exchangeCase(stream, target, checkHeaders)).toMatchObject({ status: 200 });
  },
);
