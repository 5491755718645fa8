import { expect, test } from 'vitest';
import { SseDecoder } from './sse-decoder.ts';
import { EngineError } from './types.ts';

const decode = (...chunks: readonly (string | Buffer)[]): string[] => {
  const events: string[] = [];
  const decoder = new SseDecoder({
    engine: 'llamacpp',
    maxEventBytes: 64,
    onData: (data) => events.push(data),
  });
  for (const chunk of chunks) decoder.feed(Buffer.from(chunk as string));
  return events;
};

test.each([
  ['one event', 'data: a\n\n', ['a']],
  ['several in one read', 'data: a\n\ndata: b\n\n', ['a', 'b']],
  ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
  ['mixed line ends', 'data: a\r\n\ndata: b\n\r\n', ['a', 'b']],
  ['no space after the colon', 'data:a\n\n', ['a']],
  ['only one space is dropped', 'data:  a\n\n', [' a']],
  ['several data lines', 'data: a\ndata: b\n\n', ['a\nb']],
  ['an empty data line', 'data:\n\n', ['']],
  ['a bare data field', 'data\ndata\n\n', ['\n']],
  ['comments between and inside', ':\n\n: ping\ndata: a\n:x\n\n', ['a']],
  ['other fields', 'event: token\nid: 1\nretry: 5\ndata: a\n\n', ['a']],
  ['a field that only begins like data', 'database: a\n\n', []],
  ['a byte order mark', '\uFEFFdata: a\n\n', ['a']],
  ['blank lines alone', '\n\n\n', []],
  ['no blank line at the end', 'data: a\n\ndata: b\n', ['a']],
])('OC-ADAPT-5007 reads %s', (_name, stream, events) => {
  expect(decode(stream)).toEqual(events);
});

test('OC-ADAPT-5007 a code point cut between reads comes out whole', () => {
  const bytes = Buffer.from('data: 古🐸\n\n');
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(decode(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(['古🐸']);
  }
});

test.each([
  ['a whole line', [`data: ${'x'.repeat(64)}\n\n`]],
  ['a line that does not end', ['data: ', 'x'.repeat(40), 'x'.repeat(40)]],
  ['many data lines', [`data: ${'x'.repeat(40)}\n`.repeat(2)]],
])('OC-ADAPT-5008 %s over the bound is garbage', (_name, chunks) => {
  expect(() => decode(...chunks)).toThrow(EngineError);
  expect(() => decode(...chunks)).toThrow(expect.objectContaining({ fault: 'garbage' }));
});

test('OC-ADAPT-5008 a read larger than the bound is fine when its events are not', () => {
  expect(decode('data: 1234567890\n\n'.repeat(20))).toHaveLength(20);
});
