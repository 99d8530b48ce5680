import { expect, test } from 'vitest';
import { recentOrders } from '../../../../../local/emulators/store/purchase.ts';
import { coins, order } from './orders.ts';

test('lists orders of the last 90 days by line state', () => {
  const day = 24 * 3600 * 1000;
  const [recent, old] = [order(coins(), 1, 100 * day), order(coins(), 1, 9 * day)];
  expect(recentOrders([recent, old], ['Purchased'], 100 * day).map((one) => one.orderId)).toEqual([recent.orderId]);
  expect(recentOrders([recent], ['Revoked'], 100 * day)).toEqual([]);
});
