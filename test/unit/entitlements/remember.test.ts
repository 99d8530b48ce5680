import { expect, test } from 'vitest';
import { seenIn } from '../../../src/shared/entitlements/remember.ts';
import { storeItem } from '../../../src/shared/store/storeItem.ts';

const seen = (over: object) => {
  const item = { productId: 'P', transactionId: 'o1', recurrenceData: 'mdr:0:1', productKind: 'Durable', ...over };
  return seenIn('u', { item: storeItem.parse(item), account: 'second' });
};
const of = { userId: 'u', account: 'second', productId: 'P' };

test('consumables are not remembered; orders and recurrences are', () => {
  for (const productKind of ['Consumable', 'UnmanagedConsumable', 'consumable'])
    expect(seen({ productKind })).toEqual([]);
  expect(seen({ productKind: 'Pass' })).toEqual([
    { ...of, cause: { orderId: 'o1' } },
    { ...of, cause: { recurrenceId: 'mdr:0:1' } },
  ]);
  expect(seen({ recurrenceData: {}, transactionId: null })).toEqual([]);
});

test('a recurrence is remembered whichever form its id comes in', () => {
  const recurrence = { ...of, cause: { recurrenceId: 'mdr:0:2' } };
  const forms = [
    { recurrenceData: 'mdr:0:2' },
    { recurrenceData: { recurrenceId: 'mdr:0:2' } },
    { recurrenceData: {}, recurrenceId: 'mdr:0:2' },
  ];
  for (const form of forms) expect(seen({ transactionId: '', ...form })).toEqual([recurrence]);
});
