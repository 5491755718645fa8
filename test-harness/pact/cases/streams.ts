/** Transcripts: every event of a task's stream, in order, over each way to it. */
import { MatchersV3 } from '@pact-foundation/pact';
import { responseExample, scalarText } from '../contract-examples.ts';
import { pactCase, type PactCase } from '../pact-case.ts';
import { situation } from '../situations.ts';
import { shortTask } from './case-values.ts';
import { uuidOf } from '../../src/named-uuid.ts';

const ACCEPT = { Accept: 'text/event-stream' };
const SHORT = transcript('short');
const streamed = uuidOf('streamed at once');

export const streamCases: readonly PactCase[] = [
  pactCase({
    operationId: 'createTask',
    status: '200',
    when: 'and its stream in one round trip',
    situation: situation('a daemon'),
    headers: ACCEPT,
    body: shortTask(streamed),
    transcript: SHORT,
    answerHeaders: {
      Location: `/v1/tasks/${streamed}`,
      'X-Queue-Position': MatchersV3.regex('^[0-9]+$', '0'),
      'X-Queue-ETA-Ms': MatchersV3.regex('^[0-9]+$', '0'),
    },
  }),
  pactCase({
    operationId: 'streamTask',
    status: '200',
    when: 'from the beginning',
    situation: situation('a task that has ended', { task_id: uuidOf('replayed') }),
    path: [uuidOf('replayed')],
    headers: ACCEPT,
    transcript: SHORT,
  }),
  pactCase({
    operationId: 'streamTask',
    status: '200',
    when: 'from the event after the one that was seen last',
    situation: situation('a task that has ended', { task_id: uuidOf('resumed') }),
    path: [uuidOf('resumed')],
    headers: { ...ACCEPT, 'Last-Event-ID': '2' },
    transcript: eventsAfter(SHORT, 2),
  }),
  pactCase({
    operationId: 'streamTask',
    status: '200',
    when: 'of a task whose engine failed',
    situation: situation('a task whose engine failed', { task_id: uuidOf('failed') }),
    path: [uuidOf('failed')],
    headers: ACCEPT,
    transcript: transcript('failed'),
  }),
  pactCase({
    operationId: 'streamTask',
    status: '200',
    when: 'of a task that was canceled while it waited',
    situation: situation('a task that was canceled while it waited', {
      task_id: uuidOf('canceled and streamed'),
    }),
    path: [uuidOf('canceled and streamed')],
    headers: ACCEPT,
    transcript: transcript('canceled'),
  }),
  pactCase({
    operationId: 'streamTask',
    status: '410',
    when: 'of a task that is not kept any more',
    situation: situation('a task that is not kept any more', { task_id: uuidOf('swept') }),
    path: [uuidOf('swept')],
  }),
];

function transcript(name: string): string {
  return scalarText(responseExample('streamTask', '200', name));
}

function eventsAfter(text: string, id: number): string {
  const frames = text.split('\n\n').filter((frame) => frame !== '');
  return frames
    .slice(id)
    .map((frame) => `${frame}\n\n`)
    .join('');
}
