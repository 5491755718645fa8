import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PendingPrefixes } from './pending-prefixes.ts';
import { Numbering } from './testing/prefix-fixtures.ts';
import { tokensUpTo } from './prompt-prefix.ts';

const prompt = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 12 });

test('OC-CORE-1097 waits exactly for what is longer than what was known before, by any of them', () => {
  fc.assert(
    fc.property(prompt, fc.array(fc.tuple(prompt, fc.nat(12))), (asked, others) => {
      const numbering = new Numbering();
      const own = numbering.prefixOf(asked, 16);
      const pending = new PendingPrefixes();
      let isExpected = false;
      for (const [n, [text, knownBlocks]] of others.entries()) {
        pending.add(`t${n}`, numbering.prefixOf(text, 16), tokensUpTo(own, knownBlocks));
        let shared = 0;
        while (shared < asked.length && text[shared] === asked[shared]) shared += 1;
        isExpected ||= shared > knownBlocks;
      }
      expect(pending.hasPartOf(own)).toBe(isExpected);
      for (const n of others.keys()) pending.remove(`t${n}`);
      expect(pending.hasPartOf(own)).toBe(false);
    }),
  );
});
