import fc from 'fast-check';
import { expect, test } from 'vitest';
import { samplesOf } from './prometheus-gauges.ts';

const name = fc.stringMatching(/^[a-z_]{1,6}(:[a-z_]{1,6})?$/);
const series = fc.record({
  labels: fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.string({ unit: 'binary' }), {
    noNullPrototype: true,
  }),
  value: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => value !== 0),
});

const escape = (value: string) =>
  value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));

test('series are read back as they were written, beside metrics with other names', () => {
  fc.assert(
    fc.property(name, fc.array(series), (metric, all) => {
      const lines = all.map(({ labels, value }) => {
        const list = Object.entries(labels).map(([key, text]) => `${key}="${escape(text)}"`);
        return `${metric}_x{${list.join()}} 1\n${metric}{${list.join()}} ${value}\n`;
      });
      expect(samplesOf(lines.join(''), metric)).toEqual(
        all.map(({ labels, value }) => ({ labels: new Map(Object.entries(labels)), value })),
      );
    }),
  );
});
