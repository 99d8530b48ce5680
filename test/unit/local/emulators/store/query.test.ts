import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Item, page, withoutDuplicates } from '../../../../../local/emulators/store/query.ts';

test('returns every item exactly once for any page size', () => {
  fc.assert(
    fc.property(fc.nat(300), fc.integer({ min: 1, max: 200 }), (length, size) => {
      const items = Array.from({ length }, (_, index) => index);
      const seen: number[] = [];
      for (let offset: number | undefined = 0; offset !== undefined; ) {
        const { items: shown, next }: { items: number[]; next?: number } = page(items, offset, size);
        seen.push(...shown);
        offset = next;
      }
      expect(seen).toEqual(items);
    }),
  );
});

test('prefers Active, then what was invalidated last, then Revoked; among the active the better source', () => {
  const item = (id: string, status: string, source: Item['source'] = 'direct', modifiedAt = 0): Item => ({
    source,
    productId: 'P',
    skuId: '',
    kind: 'Game',
    status,
    startsAt: 0,
    endsAt: 9,
    modifiedAt,
    owner: '',
    fields: { id },
  });
  const best = (...items: Item[]): unknown => withoutDuplicates(items).map(({ fields }) => fields.id);
  const revoked = item('revoked', 'Revoked', 'direct', 99);
  const old = item('old', 'Expired', 'direct', 1);
  const late = item('late', 'Suspended', 'promotion', 2);
  const pass = item('pass', 'Active', 'subscription');
  expect(best(revoked, old, late, pass)).toEqual(['pass']);
  expect(best(pass, item('promotion', 'Active', 'promotion', 50))).toEqual(['pass']);
  expect(best(pass, item('bundle', 'Active', 'bundle'), item('own', 'Active'))).toEqual(['own']);
  expect(best(revoked, old, late)).toEqual(['late']);
  expect(best(revoked)).toEqual(['revoked']);
  expect(best(pass, { ...pass, skuId: '0010' })).toHaveLength(2);
});
