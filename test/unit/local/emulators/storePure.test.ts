import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balance, consume, makeOrder } from '../../../../local/emulators/store/ledger.ts';
import { recentOrders } from '../../../../local/emulators/store/purchase.ts';
import { type Item, page, withoutDuplicates } from '../../../../local/emulators/store/query.ts';
import { withoutSecrets } from '../../../../local/emulators/store/recorder.ts';
import type { Account, Order, Product, ProductKind } from '../../../../local/emulators/store/types.ts';

const coins = (kind: ProductKind = 'Consumable', unitsPerPurchase = 1): Product => ({
  productId: 'COINS',
  kind,
  price: 1,
  skuId: '0010',
  availabilityId: 'A1',
  unitsPerPurchase,
  bundle: [],
  configured: true,
  legacyProductId: null,
  gamePassTiers: [],
});

function order(product: Product, quantity: number, at: number, name = `o${at}`): Order {
  const ids = { orderId: name, lineItemId: `l-${name}`, shortOrderId: '1' };
  return makeOrder(new Map(), { ...ids, orderState: 'Purchased', product, quantity, at });
}

const account = (orders: Order[]): Account => ({ orders, consumes: [], injected: [] });

describe('consume', () => {
  it('takes exactly what was asked, oldest order first, and never twice for the same request', () => {
    const purchases = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 20 })), {
      minLength: 1,
      maxLength: 6,
    });
    const requests = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 1, max: 8 })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(purchases, requests, fc.integer({ min: 1, max: 3 }), (bought, asked, units) => {
        const product = coins('Consumable', units);
        let now = account(bought.map(([quantity, at], index) => order(product, quantity, at, `o${index}`)));
        const start = balance(now, product);
        const done = new Set<string>();
        let sum = 0;
        for (const [tracking, quantity] of asked) {
          const result = consume(now, product, { trackingId: `t${tracking}`, quantity, at: 99 });
          const key = `${tracking}/${quantity}`;
          if (result.outcome === 'insufficient') expect(start - sum).toBeLessThan(quantity);
          if (result.outcome !== 'consumed' && result.outcome !== 'replayed') continue;
          expect(result.outcome).toBe(done.has(key) ? 'replayed' : 'consumed');
          expect(result.orders.reduce((total, one) => total + one.quantityConsumed, 0)).toBe(quantity);
          if (result.outcome === 'consumed') sum += quantity;
          done.add(key);
          now = result.account;
          expect(result.newQuantity).toBe(start - sum);
        }
        const lines = now.orders.flatMap((one) => one.lines).sort((a, b) => a.acquiredAt - b.acquiredAt);
        expect(lines.reduce((total, line) => total + line.units - line.remaining, 0)).toBe(sum);
        const firstOpen = lines.findIndex((line) => line.remaining > 0);
        if (firstOpen >= 0)
          expect(lines.slice(firstOpen + 1).every((line) => line.remaining === line.units)).toBe(true);
      }),
    );
  });

  it('answers a replay with the order ids of a store-managed product and without those of a developer-managed one', () => {
    for (const kind of ['Consumable', 'UnmanagedConsumable'] as const) {
      const product = coins(kind);
      const request = { trackingId: 't', quantity: 1, at: 9 };
      const first = consume(account([order(product, 1, 1)]), product, request);
      if (first.outcome !== 'consumed') throw new Error(first.outcome);
      expect(first).toMatchObject({
        newQuantity: 0,
        orders: [{ orderId: 'o1', orderLineItemId: 'l-o1', quantityConsumed: 1 }],
      });
      const again = consume(first.account, product, request);
      expect(again).toMatchObject({ outcome: 'replayed', orders: kind === 'Consumable' ? first.orders : [] });
      const other = consume(first.account, product, { ...request, trackingId: 'u' });
      expect(other.outcome).toBe(kind === 'Consumable' ? 'insufficient' : 'notOwned');
    }
    expect(consume(account([]), coins(), { trackingId: 't', quantity: 1, at: 1 }).outcome).toBe('notOwned');
  });
});

describe('pages and duplicates', () => {
  it('returns every item exactly once for any page size', () => {
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

  it('prefers Active, then what was invalidated last, then Revoked; among the active the better source', () => {
    const item = (id: string, status: string, source: Item['source'] = 'direct', modifiedAt = 0): Item => ({
      ...{ source, productId: 'P', skuId: '', kind: 'Game', status, startsAt: 0, endsAt: 9, modifiedAt, owner: '' },
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

  it('shows orders of consumables of the last 90 days by line state', () => {
    const day = 24 * 3600 * 1000;
    const [recent, old] = [order(coins(), 1, 100 * day), order(coins(), 1, 9 * day)];
    expect(recentOrders([recent, old], ['Purchased'], 100 * day).map((one) => one.orderId)).toEqual([recent.orderId]);
    expect(recentOrders([recent], ['Revoked'], 100 * day)).toEqual([]);
  });
});

it('records no key and no token', () => {
  const shown = withoutSecrets({ b2bKey: 'secret', nested: [{ text: 'aa.bb.cc' }], productId: '9N0' });
  expect(JSON.stringify(shown)).not.toMatch(/secret|aa\.bb/);
  expect(shown).toMatchObject({ productId: '9N0', b2bKey: expect.stringMatching(/^sha256:[0-9a-f]{12}$/) });
});
