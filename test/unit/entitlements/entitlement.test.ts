import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Entitlement } from '../../../src/shared/contract/entitlements.ts';
import { distinctProducts, entitlementOf, withoutDuplicates } from '../../../src/shared/entitlements/entitlement.ts';
import { storeItem } from '../../../src/shared/store/storeItem.ts';

const one = (over: Partial<Entitlement> = {}): Entitlement => ({
  ...entitlementOf(storeItem.parse({ id: 'i', productId: 'P', skuId: '0010', status: 'Active' }), undefined),
  ...over,
});

test('what the Store leaves out gets a default, and unknown values are kept', () => {
  const item = {
    id: 'i',
    productId: 'P',
    skuId: '',
    productType: 'Novel',
    status: 'Odd',
    recurrenceData: {},
    transactionId: '',
  };
  expect(entitlementOf(storeItem.parse(item), 'second')).toEqual({
    account: 'second',
    id: 'i',
    productId: 'P',
    skuId: null,
    kind: 'Novel',
    status: 'Odd',
    quantity: 1,
    acquiredAt: null,
    startsAt: null,
    endsAt: null,
    modifiedAt: null,
    acquisition: null,
    satisfiedBy: [],
    recurrenceId: null,
    orderId: null,
    trial: { isTrial: false, inTrialPeriod: false, remainingSeconds: null },
  });
});

test('members that only some answers have are shown as they came, if they came', () => {
  const more = {
    legacyProductId: 'L',
    devOfferId: 'D',
    inAppOfferToken: 'T',
    tags: { a: 1 },
    productFamily: 'Games',
    purchasedCountry: 'US',
    sharingSource: 'Family',
  };
  expect(entitlementOf(storeItem.parse({ productId: 'P', ...more }), undefined)).toMatchObject({ id: null, ...more });
  const none = Object.fromEntries(Object.keys(more).map((name) => [name, null]));
  const shown = entitlementOf(storeItem.parse({ productId: 'P', ...none }), undefined);
  for (const name of Object.keys(more)) expect(shown).not.toHaveProperty(name);
});

test('duplicates are told by ids without case, and shown as the Store wrote the better one', () => {
  const old = one({ productId: 'p', skuId: 'A1', status: 'Expired', modifiedAt: '2026-01-01T00:00:00.000Z' });
  const active = one({ productId: 'P', skuId: 'a1', status: 'active', id: null });
  expect(withoutDuplicates([old, active])).toEqual([active]);
  expect(withoutDuplicates([one({ status: 'revoked' }), { ...old, productId: 'P', skuId: '0010' }])).toHaveLength(1);
  const products = [{ productId: 'a', skuId: '1' }, { productId: 'b' }, { productId: 'B', skuId: 'x' }];
  expect(distinctProducts([...products, { productId: 'A', skuId: '1' }, { productId: 'B' }])).toEqual(
    products.slice(0, 2),
  );
});

test('among duplicates Active wins, then what was invalidated last, then Revoked', () => {
  const revoked = one({ status: 'Revoked', modifiedAt: '2026-03-01T00:00:00.000Z' });
  const expired = one({ status: 'Expired', modifiedAt: '2026-01-01T00:00:00.000Z' });
  const banned = one({ status: 'Banned', modifiedAt: '2026-02-01T00:00:00.000Z', endsAt: '2026-02-01T00:00:00.000Z' });
  const endless = { ...banned, status: 'Suspended', endsAt: null };
  const active = one({ modifiedAt: '2020-01-01T00:00:00.000Z' });
  expect(withoutDuplicates([revoked, expired])).toEqual([expired]);
  expect(withoutDuplicates([expired, banned, revoked])).toEqual([banned]);
  expect(withoutDuplicates([banned, endless])).toEqual([endless]);
  expect(withoutDuplicates([banned, active, endless])).toEqual([active]);
});

const anyEntitlement = fc
  .record({
    productId: fc.constantFrom('A', 'B', 'C'),
    skuId: fc.constantFrom(null, '0010'),
    status: fc.constantFrom('Active', 'Revoked', 'Expired', 'Banned', 'New'),
    modifiedAt: fc.option(fc.integer({ min: 0, max: 3 }).map((n) => new Date(n).toISOString())),
    endsAt: fc.option(fc.integer({ min: 0, max: 3 }).map((n) => new Date(n).toISOString())),
  })
  .map(one);

test('duplicates: one for each product and SKU, the same in any order of pages, Revoked only if there is no other', () => {
  fc.assert(
    fc.property(fc.array(anyEntitlement), (items) => {
      const kept = withoutDuplicates(items);
      const names = kept.map(({ productId, skuId }) => `${productId}/${skuId}`);
      expect(new Set(names).size).toBe(names.length);
      expect(new Set(names)).toEqual(new Set(items.map(({ productId, skuId }) => `${productId}/${skuId}`)));
      const facts = (list: Entitlement[]) => new Set(withoutDuplicates(list).map((item) => JSON.stringify(item)));
      expect(facts([...items].reverse())).toEqual(facts(items));
      for (const item of kept) {
        const rivals = items.filter(({ productId, skuId }) => productId === item.productId && skuId === item.skuId);
        if (item.status === 'Revoked') expect(rivals.every(({ status }) => status === 'Revoked')).toBe(true);
        if (rivals.some(({ status }) => status === 'Active')) expect(item.status).toBe('Active');
      }
    }),
  );
});

test('products: each once, and a whole product covers its SKUs', () => {
  expect(
    distinctProducts([
      { productId: 'A', skuId: '1' },
      { productId: 'B' },
      { productId: 'A' },
      { productId: 'B' },
      { productId: 'C', skuId: '1' },
      { productId: 'C', skuId: '2' },
      { productId: 'C', skuId: '1' },
    ]),
  ).toEqual([{ productId: 'B' }, { productId: 'A' }, { productId: 'C', skuId: '1' }, { productId: 'C', skuId: '2' }]);
});
