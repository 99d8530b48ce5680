import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chunksOf } from '../../../src/shared/lib/chunks.ts';

test('chunks have everything in order, and none is larger than the size', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.integer({ min: 1, max: 9 }), (items, size) => {
      const chunks = chunksOf(items, size);
      expect(chunks.flat()).toEqual(items);
      expect(chunks.every(({ length }) => length >= 1 && length <= size)).toBe(true);
    }),
  );
});
