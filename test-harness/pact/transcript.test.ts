/** What a transcript's pattern takes for the same stream, and what not. */
import { expect, test } from 'vitest';
import { responseExample, scalarText } from './contract-examples.ts';
import { transcriptPattern } from './transcript.ts';

const EXAMPLE = scalarText(responseExample('streamTask', '200', 'short'));
const accepts = (text: string) => new RegExp(transcriptPattern(EXAMPLE)).test(text);
const frames = EXAMPLE.split(/(?<=\n\n)/);
const METRICS = 'id: 9\nevent: metrics\ndata: {"tokens_out":1}\n\n';

test('OC-TEST-7405 the example itself, with other ids, times and texts, and with more fields', () => {
  expect(accepts(EXAMPLE)).toBe(true);
  expect(accepts(EXAMPLE.replace('id: 5', 'id: 50').replace('"rain"', '"a \\"b\\""'))).toBe(true);
  expect(accepts(EXAMPLE.replace('"decode_ms":12', '"tokens_in":3,"decode_ms":7,"x":1'))).toBe(
    true,
  );
});

test('OC-TEST-7405 more metrics and comments between the events', () => {
  expect(accepts(frames.flatMap((each) => [each, METRICS]).join(''))).toBe(false);
  const inside = frames.flatMap((each, n) => (n === 4 ? [each] : [each, METRICS]));
  expect(accepts(inside.join(''))).toBe(true);
  expect(accepts([frames[0], ': keep-alive\n\n', ...frames.slice(1)].join(''))).toBe(true);
});

test.each([
  ['an event too few', frames.filter((_, n) => n !== 1)],
  ['an event twice', frames.flatMap((each, n) => (n === 1 ? [each, each] : [each]))],
  ['another order', [frames[0], frames[2], frames[1], ...frames.slice(3)]],
  ['no metrics before the end', frames.filter((_, n) => n !== 3)],
  ['nothing after the end but more', [...frames, frames[4]]],
  ['no end', frames.slice(0, 4)],
  ['another index', [EXAMPLE.replace('"i":1', '"i":2')]],
  ['an event without id', [EXAMPLE.replace('id: 2\n', '')]],
  ['another name of an event', [EXAMPLE.replace('event: started', 'event: begun')]],
  ['another count', [EXAMPLE.replace('"tokens_out":2', '"tokens_out":1')]],
  ['data on two lines', [EXAMPLE.replace('data: {"t":"rain",', 'data: {"t":"rain",\ndata: ')]],
  ['frames that are not separated', [EXAMPLE.replace('\n\nid: 3', '\nid: 3')]],
])('OC-TEST-7405 not %s', (_what, events) => {
  expect(accepts(events.join(''))).toBe(false);
});
