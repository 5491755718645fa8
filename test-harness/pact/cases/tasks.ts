/** Tasks that are taken, and their lookup, listing, explanation and cancellation. */
import { MatchersV3 } from '@pact-foundation/pact';
import {
  requestExample,
  responseExample,
  scalarText,
  type JsonObject,
} from '../contract-examples.ts';
import { pactCase, type CaseInput, type PactCase } from '../pact-case.ts';
import { situation } from '../situations.ts';
import { BUSY_POOL, shortTask, WIDOWED_POOL } from './case-values.ts';
import { casesOfStrangeIds } from './strange-ids.ts';
import { uuidOf } from '../../src/named-uuid.ts';

const COUNT = '^[0-9]+$';
const ADMITTED = responseExample('createTask', '202') as JsonObject;

/** Headers of an admission. @param taskId exact when the client chose it */
function admissionHeaders(taskId?: string): NonNullable<CaseInput['answerHeaders']> {
  const { regex } = MatchersV3;
  return {
    Location:
      taskId === undefined
        ? regex('^/v1/tasks/[0-9a-f-]{36}$', `/v1/tasks/${scalarText(ADMITTED['task_id'])}`)
        : `/v1/tasks/${taskId}`,
    'X-Queue-Position': regex(COUNT, scalarText(ADMITTED['queue_position'])),
    'X-Queue-ETA-Ms': regex(COUNT, scalarText(ADMITTED['predicted_start_ms'])),
  };
}

/** Of a task whose id the client chose. */
function chosen(taskId: string): Pick<CaseInput, 'answer' | 'exact' | 'answerHeaders'> {
  return {
    answer: { task_id: taskId, stream_url: `/v1/tasks/${taskId}/stream` },
    exact: ['/task_id', '/stream_url'],
    answerHeaders: admissionHeaders(taskId),
  };
}

const admissions: readonly PactCase[] = [
  pactCase({
    operationId: 'createTask',
    status: '202',
    when: 'with a prompt and nothing else',
    situation: situation('a daemon'),
    body: requestExample('createTask', 'smallest'),
    answerHeaders: admissionHeaders(),
  }),
  pactCase({
    operationId: 'createTask',
    status: '202',
    when: 'without a correlation id, which is made',
    situation: situation('a daemon'),
    sendsCorrelationId: false,
    body: requestExample('createTask', 'smallest'),
    answerHeaders: admissionHeaders(),
  }),
  pactCase({
    operationId: 'createTask',
    status: '202',
    when: 'with chat messages in a session',
    situation: situation('a daemon'),
    body: requestExample('createTask', 'chat'),
    answer: {
      session_id: (requestExample('createTask', 'chat') as JsonObject)['session_id'] ?? '',
    },
    exact: ['/session_id'],
    answerHeaders: admissionHeaders(),
  }),
  pactCase({
    operationId: 'createTask',
    status: '202',
    when: 'again with the same id and body, which runs nothing twice',
    situation: situation('a task that has ended', { task_id: uuidOf('repeated') }),
    body: shortTask(uuidOf('repeated')),
    ...chosen(uuidOf('repeated')),
  }),
  pactCase({
    operationId: 'createTask',
    status: '202',
    when: 'with an idempotency key',
    situation: situation('a daemon'),
    headers: { 'Idempotency-Key': 'pact-idempotency-key' },
    body: requestExample('createTask', 'smallest'),
    answerHeaders: admissionHeaders(),
  }),
  pactCase({
    operationId: 'createTask',
    status: '202',
    when: 'to a busy pool, where it waits',
    situation: situation('a pool whose slots are busy'),
    body: { ...shortTask(uuidOf('waits')), model_ref: BUSY_POOL },
    ...chosen(uuidOf('waits')),
    answer: {
      task_id: uuidOf('waits'),
      stream_url: `/v1/tasks/${uuidOf('waits')}/stream`,
      queue_position: 1,
    },
    exact: ['/task_id', '/stream_url', '/queue_position'],
    answerHeaders: { ...admissionHeaders(uuidOf('waits')), 'X-Queue-Position': '1' },
  }),
];

const COMPLETED = responseExample('getTask', '200', 'completed') as JsonObject;
const EXPLAINED = responseExample('explainTask', '200', 'waited') as JsonObject;

/** A task that ran at once did not wait. */
const withoutWait = (EXPLAINED['entries'] as readonly JsonObject[]).filter(
  ({ kind }) => kind !== 'waited',
);

const lookups: readonly PactCase[] = [
  pactCase({
    operationId: 'getTask',
    status: '200',
    when: 'of one that has ended',
    situation: situation('a task that has ended', { task_id: uuidOf('looked up') }),
    path: [uuidOf('looked up')],
    answer: {
      task_id: uuidOf('looked up'),
      finish_reason: 'length',
      usage: { ...(COMPLETED['usage'] as JsonObject), tokens_out: 2 },
    },
    exact: ['/task_id', '/state', '/workload', '/priority', '/finish_reason', '/usage/tokens_out'],
  }),
  pactCase({
    operationId: 'getTask',
    status: '200',
    when: 'of one that waits',
    situation: situation('a task that waits', { task_id: uuidOf('looked up in the queue') }),
    path: [uuidOf('looked up in the queue')],
    answer: {
      task_id: uuidOf('looked up in the queue'),
      state: 'queued',
      pool_id: BUSY_POOL,
      attempts: 0,
      queue_position: 2,
      predicted_start_ms: 840,
    },
    omit: [
      ...['started_at_ms', 'ended_at_ms', 'finish_reason', 'usage', 'output_sha256'],
      ...['result', 'replica'],
    ],
    exact: ['/task_id', '/state', '/attempts', '/pool_id'],
  }),
  pactCase({
    operationId: 'explainTask',
    status: '200',
    when: 'of one that has ended',
    situation: situation('a task that has ended', { task_id: uuidOf('explained') }),
    path: [uuidOf('explained')],
    answer: { task_id: uuidOf('explained'), entries: withoutWait },
    exact: ['/task_id', '/state'],
  }),
  pactCase({
    operationId: 'explainTask',
    status: '410',
    when: 'of one that is not kept any more',
    situation: situation('a task that is not kept any more', {
      task_id: uuidOf('swept, explained'),
    }),
    path: [uuidOf('swept, explained')],
  }),
  pactCase({
    operationId: 'listTasks',
    status: '200',
    when: 'with a limit',
    situation: situation('a task that has ended', { task_id: uuidOf('listed') }),
    query: { limit: '1' },
    omit: ['next_cursor'],
  }),
  pactCase({
    operationId: 'listTasks',
    status: '400',
    when: 'with a limit that is none',
    situation: situation('a daemon'),
    query: { limit: '0' },
    answer: { details: [{ path: 'limit', message: 'must be >= 1' }] },
    exact: ['/details/0/path'],
  }),
];

const cancellations: readonly PactCase[] = [
  pactCase({
    operationId: 'cancelTask',
    status: '204',
    when: 'of one that waits',
    situation: situation('a task that waits', { task_id: uuidOf('canceled') }),
    path: [uuidOf('canceled')],
  }),
  pactCase({
    operationId: 'cancelTask',
    status: '204',
    when: 'of one that has ended, which stays as it is',
    situation: situation('a task that has ended', { task_id: uuidOf('canceled too late') }),
    path: [uuidOf('canceled too late')],
  }),
];

const verifications: readonly PactCase[] = [
  pactCase({
    operationId: 'verifyTask',
    status: '200',
    when: 'of one that comes out the same',
    situation: situation('a task that can be verified', { task_id: uuidOf('verified') }),
    path: [uuidOf('verified')],
    answer: { task_id: uuidOf('verified'), match: true, tokens_compared: 2 },
    omit: ['first_difference'],
    exact: ['/task_id', '/match', '/tokens_compared'],
  }),
  pactCase({
    operationId: 'verifyTask',
    status: '409',
    when: 'of one that did not complete',
    situation: situation('a task that was canceled while it waited', {
      task_id: uuidOf('canceled, verified'),
    }),
    path: [uuidOf('canceled, verified')],
  }),
  pactCase({
    operationId: 'verifyTask',
    status: '410',
    when: 'of one that is not kept any more',
    situation: situation('a task that is not kept any more', {
      task_id: uuidOf('swept, verified'),
    }),
    path: [uuidOf('swept, verified')],
  }),
  pactCase({
    operationId: 'verifyTask',
    status: '429',
    when: 'of a tenant that has used up its rate',
    situation: situation('a tenant that has used up its rate'),
    key: 'hurried',
    path: [uuidOf('hurried, verified')],
    answer: { code: 'RATE_LIMITED', policy_label: 'rate-limit' },
    omit: ['engine', 'pool_id'],
  }),
  pactCase({
    operationId: 'verifyTask',
    status: '503',
    when: 'of one of which no other replica is ready',
    situation: situation('a task of which no other replica is ready', {
      task_id: uuidOf('widowed, verified'),
    }),
    path: [uuidOf('widowed, verified')],
    answer: { code: 'POOL_UNREADY', pool_id: WIDOWED_POOL },
    omit: ['engine'],
  }),
];

const byId = casesOfStrangeIds(
  ['getTask', 'streamTask', 'explainTask', 'verifyTask', 'cancelTask'],
  'of no task',
);

export const taskCases: readonly PactCase[] = [
  ...admissions,
  ...lookups,
  ...cancellations,
  ...verifications,
  ...byId,
];
