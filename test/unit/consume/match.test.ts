import { expect, test } from 'vitest';
import { linesOf, lineToClaim } from '../../../src/shared/consume/match.ts';

const line = (lineItemId: string, quantity: number, revoked = false) => ({
  orderId: 'o',
  lineItemId,
  quantity,
  purchasedAt: '',
  revoked,
});
const claim = (trackingId: string, quantity = 1, userId = 'u') => ({
  userId,
  account: 'default',
  trackingId,
  productId: 'P',
  orderId: 'o',
  lineItemId: '',
  quantity,
});
const mine = { userId: 'u', id: 'mine' };
const pick = (...lines: { line: ReturnType<typeof line>; claims: ReturnType<typeof claim>[] }[]) =>
  lineToClaim(lines, mine)?.line.lineItemId;

test('a line to claim: the one that this consume claimed before, else the first that is not fully claimed', () => {
  const [a, b, c] = [line('a', 1), line('b', 2), line('c', 1)];
  const picked = (...claims: ReturnType<typeof claim>[][]) =>
    pick(...[a, b, c].map((one, index) => ({ line: one, claims: claims[index] ?? [] })));
  expect(picked([], [], [])).toBe('a');
  expect(picked([claim('x')], [claim('y')], [])).toBe('b');
  expect(picked([claim('x')], [claim('y', 2)], [])).toBe('c');
  expect(picked([], [], [claim('mine')])).toBe('c');
  expect(picked([claim('x')], [claim('y', 2)], [claim('z')])).toBeUndefined();
  expect(picked([claim('mine', 1, 'other')], [], [])).toBe('b');
});

test('a free line that was refunded after a consume is the best proof, but not against an own claim', () => {
  const free = { line: line('purchased', 1), claims: [] };
  const revoked = { line: line('revoked', 1, true), claims: [] };
  expect(pick(free, revoked)).toBe('revoked');
  expect(pick(free, { ...revoked, claims: [claim('x')] })).toBe('purchased');
  expect(pick({ ...free, claims: [claim('mine')] }, revoked)).toBe('purchased');
});

test('lines to match with: purchased and revoked ones of the product, whatever their case, the oldest first', () => {
  const orderLine = (lineItemId: string, productId: string, lineItemState: string) => ({
    lineItemId,
    productId,
    lineItemState,
    quantity: null,
  });
  const orders = [
    { orderId: 'o3', orderPurchasedDate: '2026-03-01', orderLineItems: [orderLine('c', 'gems', 'Purchased')] },
    {
      orderId: 'o1',
      orderPurchasedDate: '2026-01-01',
      orderLineItems: [orderLine('a', 'GEMS', 'Purchased'), orderLine('b', 'COINS', 'Purchased')],
    },
    {
      orderId: 'o2',
      orderPurchasedDate: '2026-02-01',
      orderLineItems: [orderLine('r', 'GEMS', 'Revoked'), orderLine('n', 'GEMS', 'Refunded')],
    },
  ];
  expect(linesOf(orders, 'Gems').map(({ lineItemId, quantity, revoked }) => [lineItemId, quantity, revoked])).toEqual([
    ['a', 1, false],
    ['r', 1, true],
    ['c', 1, false],
  ]);
});
