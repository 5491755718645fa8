import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SseDecoder } from './sse-decoder.ts';

interface Decoded {
  readonly events: readonly string[];
  readonly failed: boolean;
}

function decode(chunks: readonly Buffer[], maxEventBytes: number): Decoded {
  const events: string[] = [];
  const decoder = new SseDecoder({
    engine: 'llamacpp',
    maxEventBytes,
    onData: (data) => events.push(data),
  });
  try {
    for (const chunk of chunks) decoder.feed(chunk);
  } catch {
    return { events, failed: true };
  }
  return { events, failed: false };
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const points = cuts.map((at) => at % (bytes.length + 1)).toSorted((a, b) => a - b);
  return [0, ...points].map((start, i) => bytes.subarray(start, points[i] ?? bytes.length));
}

const piece = fc.constantFrom(
  ...['data: a', 'data:b', 'data', ':', ': ping', 'event: x', '\n', '\r\n', '\n\n', '\r', ' '],
  ...['古', '🐸', 'é', '\uFEFF', 'data: {"x":1}\n\n', 'xxxxxxxxxxxxxxxxxxxx'],
);
const text = fc.array(piece, { maxLength: 40 }).map((parts) => Buffer.from(parts.join('')));
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const cuts = fc.array(fc.nat(), { maxLength: 30 });
const bound = fc.constantFrom(8, 24, 1000);

test('OC-ADAPT-5007 any chunking of a stream gives the same events and the same failure', () => {
  fc.assert(
    fc.property(fc.oneof(text, bytes), cuts, bound, (stream, points, maxEventBytes) => {
      const whole = decode([stream], maxEventBytes);
      expect(decode(cut(stream, points), maxEventBytes)).toEqual(whole);
    }),
    { numRuns: 2000 },
  );
});

test('OC-ADAPT-5007 what was written as events is read back', () => {
  const line = fc.string({ unit: 'binary' }).map((s) => s.replaceAll(/[\r\n]/g, '').toWellFormed());
  fc.assert(
    fc.property(
      fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { maxLength: 8 }),
      fc.constantFrom('\n', '\r\n'),
      cuts,
      (events, eol, points) => {
        const stream = events
          .map((lines) => lines.map((data) => `data: ${data}${eol}`).join('') + eol)
          .join('');
        const expected = events.map((lines) => lines.join('\n'));
        expect(decode(cut(Buffer.from(stream), points), 10_000).events).toEqual(expected);
      },
    ),
  );
});
