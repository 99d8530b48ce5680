import { expect, test, vi } from 'vitest';
import { type Edit, EditError, edited } from '../../../../../local/emulators/store/edit.ts';
import { consume, grant, query, store, useStore } from './harness.ts';

useStore();

const page = {
  items: [
    { id: 'a', tags: ['x', 'y'] },
    { id: 'b', tags: ['z'] },
  ],
  continuationToken: null,
};

test.each([
  [
    { path: '/items/1/id', value: null },
    { ...page, items: [page.items[0], { id: null, tags: ['z'] }] },
  ],
  [
    { path: '/items/*/tags', remove: true },
    { ...page, items: [{ id: 'a' }, { id: 'b' }] },
  ],
  [
    { path: '/items', rename: 'Items' },
    { Items: page.items, continuationToken: null },
  ],
  [
    { path: '/items/0', remove: true },
    { ...page, items: [page.items[1]] },
  ],
  [
    { path: '/items/*', remove: true },
    { ...page, items: [] },
  ],
  [
    { path: '/added', value: { new: 1 } },
    { ...page, added: { new: 1 } },
  ],
  [{ path: '', value: [] }, []],
] as [Edit, unknown][])('an edit of an answer: %j', (edit, result) => {
  const before = structuredClone(page);
  expect(edited(page, [edit])).toEqual(result);
  expect(page).toEqual(before);
});

test.each([
  { path: '/item', remove: true },
  { path: '/item/0/id', value: 1 },
  { path: '/items/5', rename: 'x' },
] as Edit[])('an edit that finds nothing to change is an error: %j', (edit) => {
  expect(() => edited(page, [edit])).toThrow(EditError);
});

test('the real answer goes out edited, with another status if wanted', async () => {
  store.control.putProduct('COINS', { kind: 'Consumable' });
  store.control.purchase({ user: 'u', productId: 'COINS' });
  store.control.addFault({ operation: 'consume', status: 201, edit: [{ path: '/newQuantity', value: '0' }] });
  expect(await consume()).toMatchObject({ status: 201, body: { newQuantity: '0', orderTransactions: [{}] } });
  expect((await consume()).body.newQuantity).toBe(0);
  expect(store.control.state().consumes).toMatchObject([{ times: 2 }]);
  vi.spyOn(console, 'error').mockImplementationOnce(() => undefined);
  store.control.addFault({ operation: 'publisherQuery', edit: [{ path: '/item', remove: true }] });
  expect(await query(['COINS'])).toMatchObject({ status: 500, body: { innererror: { code: 'EditNotApplicable' } } });
  expect(() => store.control.addFault({ operation: '*', edit: [{ path: 'items', value: 1 }] })).toThrow();
});

test('ids are compared without case, and answered as the Store writes them', async () => {
  store.control.putProduct('CoinS', { kind: 'Consumable' });
  store.control.purchase({ user: 'u', productId: 'CoinS' });
  expect((await query(['cOINs'])).body.items).toMatchObject([{ productId: 'CoinS' }]);
  expect(await consume({ productId: 'coins' })).toMatchObject({ status: 200, body: { productId: 'CoinS' } });
  store.control.putProduct('FREE', { kind: 'Durable', price: 0 });
  expect((await grant({ productId: 'free', availabilityId: 'free-a1' })).body.orderLineItems).toMatchObject([
    { productId: 'FREE' },
  ]);
});
