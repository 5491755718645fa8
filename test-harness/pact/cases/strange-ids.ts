/** What every operation on a task or a session answers when the id in its path is no good. */
import type { OperationId } from '@llama-orch/contracts';
import { pactCase, type PactCase } from '../pact-case.ts';
import { situation } from '../situations.ts';
import { uuidOf } from '../../src/named-uuid.ts';

/** @param stranger what the id that nobody has is made of */
export function casesOfStrangeIds(
  operationIds: readonly OperationId[],
  stranger: string,
): readonly PactCase[] {
  return operationIds.flatMap((operationId) => [
    pactCase({
      operationId,
      status: '400',
      when: 'with an id that is none',
      situation: situation('a daemon'),
      path: ['not-a-uuid'],
      answer: { details: [{ path: 'id', message: 'must be a UUID' }] },
      exact: ['/details/0/path'],
    }),
    pactCase({
      operationId,
      status: '404',
      when: 'with an id that nobody has',
      situation: situation('a daemon'),
      path: [uuidOf(stranger)],
    }),
  ]);
}
