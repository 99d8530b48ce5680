import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balance, consume } from '../../../../../local/emulators/store/ledger.ts';
import type { Account, Order } from '../../../../../local/emulators/store/types.ts';
import { coins, order } from './orders.ts';

const account = (orders: Order[]): Account => ({ orders, consumes: [], injected: [] });

describe('consume', () => {
  it('consumes exactly the quantity, oldest order first, and never twice for the same request', () => {
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
