/** Sessions: what is left of one, its end, and what is said after it. */
import { pactCase, type PactCase } from '../pact-case.ts';
import { situation } from '../situations.ts';
import { casesOfStrangeIds } from './strange-ids.ts';
import { uuidOf } from '../../src/named-uuid.ts';

const open = uuidOf('open session');
const ended = uuidOf('ended session');
const expired = uuidOf('expired session');

export const sessionCases: readonly PactCase[] = [
  pactCase({
    operationId: 'getSession',
    status: '200',
    when: 'after its first turn',
    situation: situation('a session', { session_id: open }),
    path: [open],
    answer: { session_id: open, turns: 1 },
    exact: ['/session_id', '/turns'],
  }),
  pactCase({
    operationId: 'getSession',
    status: '404',
    when: 'that has expired',
    situation: situation('a session that has expired', { session_id: expired }),
    path: [expired],
  }),
  pactCase({
    operationId: 'deleteSession',
    status: '204',
    when: 'that is open',
    situation: situation('a session', { session_id: ended }),
    path: [ended],
  }),
  ...casesOfStrangeIds(['getSession', 'deleteSession'], 'of no session'),
];
