import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cut } from '../../../src/shared/state/longText.ts';

test('a text in parts: none is too long, none ends within a character, and together they are the text', () => {
  const character = fc.constantFrom('a', '\u00e9', '\u{1F600}');
  fc.assert(
    fc.property(fc.array(character, { maxLength: 40 }), fc.integer({ min: 2, max: 9 }), (characters, length) => {
      const text = characters.join('');
      const parts = cut(text, length);
      expect(parts.join('')).toBe(text);
      expect(parts.length).toBeGreaterThan(0);
      for (const part of parts) {
        expect(part.length).toBeLessThanOrEqual(length);
        expect(part).toBe(part.toWellFormed());
      }
    }),
  );
});
