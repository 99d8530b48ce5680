import { expect, test } from 'vitest';
import { seenIn } from '../../../src/shared/entitlements/remember.ts';

test('consumables are not remembered; orders and recurrences are', () => {
  const item = { id: 'i', productId: 'P', status: 'Active', transactionId: 'o1', recurrenceData: 'mdr:0:1' };
  const of = { userId: 'u', account: 'second', productId: 'P' };
  expect(seenIn('u', { item: { ...item, productKind: 'Consumable' }, account: 'second' })).toEqual([]);
  expect(seenIn('u', { item: { ...item, productKind: 'UnmanagedConsumable' }, account: 'second' })).toEqual([]);
  expect(seenIn('u', { item: { ...item, productKind: 'Pass' }, account: 'second' })).toEqual([
    { ...of, cause: { orderId: 'o1' } },
    { ...of, cause: { recurrenceId: 'mdr:0:1' } },
  ]);
  expect(
    seenIn('u', { item: { ...item, recurrenceData: {}, transactionId: null, productKind: 'Durable' }, account: 'x' }),
  ).toEqual([]);
});
