import { expect, test } from 'vitest';
import { linesOf, lineToClaim } from '../../../src/shared/consume/match.ts';

test('a line to claim: the one that this consume claimed before, else the first that is not fully claimed', () => {
  const line = (lineItemId: string, quantity: number) => ({ orderId: 'o', lineItemId, quantity, purchasedAt: '' });
  const claim = (trackingId: string, quantity = 1) => ({
    userId: 'u',
    account: 'default',
    trackingId,
    productId: 'P',
    orderId: 'o',
    lineItemId: '',
    quantity,
  });
  const lines = [line('a', 1), line('b', 2), line('c', 1)];
  const mine = { userId: 'u', id: 'mine' };
  const picked = (...claims: ReturnType<typeof claim>[][]) => lineToClaim(lines, claims, mine)?.lineItemId;
  expect(picked([], [], [])).toBe('a');
  expect(picked([claim('x')], [claim('y')], [])).toBe('b');
  expect(picked([claim('x')], [claim('y', 2)], [])).toBe('c');
  expect(picked([], [], [claim('mine')])).toBe('c');
  expect(picked([claim('x')], [claim('y', 2)], [claim('z')])).toBeUndefined();
  expect(lineToClaim(lines, [[{ ...claim('mine'), userId: 'other' }], [], []], mine)?.lineItemId).toBe('b');
});

test('lines to match with: purchased ones of the product, the oldest first', () => {
  const line = (lineItemId: string, productId: string, lineItemState: string) => ({
    lineItemId,
    productId,
    lineItemState,
    quantity: null,
  });
  const orders = [
    { orderId: 'o3', orderPurchasedDate: '2026-03-01', orderLineItems: [line('c', 'GEMS', 'Purchased')] },
    {
      orderId: 'o1',
      orderPurchasedDate: '2026-01-01',
      orderLineItems: [line('a', 'GEMS', 'Purchased'), line('b', 'COINS', 'Purchased')],
    },
    { orderId: 'o2', orderPurchasedDate: '2026-02-01', orderLineItems: [line('r', 'GEMS', 'Refunded')] },
  ];
  expect(linesOf(orders, 'GEMS').map(({ orderId, lineItemId, quantity }) => [orderId, lineItemId, quantity])).toEqual([
    ['o1', 'a', 1],
    ['o3', 'c', 1],
  ]);
});
