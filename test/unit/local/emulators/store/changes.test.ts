import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { agent, consume, grant, inner, keys, post, query, store, trackingId, useStore } from './harness.ts';

useStore();

describe('changes', () => {
  it('consumes from several orders, replays, and refuses', async () => {
    store.control.putProduct('COINS', { kind: 'Consumable' });
    expect((await consume()).status).toBe(404);
    const first = store.control.purchase({ user: 'u', productId: 'COINS', quantity: 2 });
    const second = store.control.purchase({ user: 'u', productId: 'COINS', quantity: 2 });
    const done = await consume({ removeQuantity: 3 });
    expect(done.body).toMatchObject({ newQuantity: 1, trackingId, productId: 'COINS' });
    expect(done.body.orderTransactions).toMatchObject([
      { orderId: first.orderId, quantityConsumed: 2 },
      { orderId: second.orderId, quantityConsumed: 1 },
    ]);
    expect((await consume({ removeQuantity: 3 })).body).toEqual(done.body);
    const tooMany = await consume({ removeQuantity: 2 });
    expect(tooMany).toMatchObject({ status: 400, body: { code: 'BadRequest' } });
    expect(inner(tooMany)).toBe('InsufficientConsumeQuantity');
    expect((await consume({ trackingId: 'x' })).status).toBe(400);
    expect(store.control.state().consumes).toMatchObject([{ user: 'u', trackingId, quantity: 3, times: 2 }]);
    store.control.putProduct('DEV', { kind: 'UnmanagedConsumable' });
    store.control.purchase({ user: 'u', productId: 'DEV' });
    expect(inner(await consume({ productId: 'DEV' }))).toBe('InvalidParameter');
    expect((await consume({ productId: 'DEV', removeQuantity: undefined })).body.orderTransactions).toHaveLength(1);
    const again = await consume({ productId: 'DEV', removeQuantity: undefined });
    expect([again.status, again.body.orderTransactions]).toEqual([200, undefined]);
  });

  it('grants what is free, once for an order id, and lists orders in pages', async () => {
    store.control.putProduct('FREE', { kind: 'Consumable', price: 0 });
    store.control.putProduct('PAID', { kind: 'Consumable', price: 5 });
    expect(inner(await grant({ productId: 'PAID', availabilityId: 'PAID-A1' }))).toBe('ProductNotFree');
    store.control.putSettings({ grantOrderState: 'Pending' });
    expect((await grant()).body).toMatchObject({ orderId: trackingId, orderState: 'Pending' });
    expect((await query(['FREE'])).body.items).toEqual([]);
    store.control.putSettings({ grantOrderState: 'Purchased', maxPageSize: 1 });
    const granted = await grant();
    expect(granted.body).toMatchObject({
      orderState: 'Purchased',
      orderLineItems: [{ productId: 'FREE', quantity: 1 }],
    });
    expect((await grant()).body).toEqual(granted.body);
    expect((await query(['FREE'])).body.items).toMatchObject([{ quantity: 1 }]);
    store.control.purchase({ user: 'u', productId: 'PAID' });
    const url = `${store.purchaseUrl}/v8.0/b2b/orders/query`;
    const one = await post(url, { b2bKey: keys().purchaseId });
    expect(one.body.items).toMatchObject([{ orderId: trackingId, orderLineItems: [{ lineItemState: 'Purchased' }] }]);
    const { continuationToken } = one.body;
    const two = await post(url, { b2bKey: keys().purchaseId, continuationToken });
    expect([two.body.items.length, two.body.continuationToken]).toEqual([1, undefined]);
    expect((await post(url, { b2bKey: keys().purchaseId, continuationToken, sbx: 'X' })).status).toBe(400);
    expect((await post(url, { b2bKey: keys().collectionsId })).status).toBe(401);
  });
});

describe('the emulator', () => {
  it('injects faults', async () => {
    store.control.putProduct('COINS', { kind: 'Consumable' });
    store.control.purchase({ user: 'u', productId: 'COINS', quantity: 5 });
    const quantity = async () => (await query(['COINS'])).body.items[0].quantity;
    store.control.addFault({ operation: 'consume', dropResponse: true });
    await expect(consume()).rejects.toThrow();
    expect(await quantity()).toBe(4);
    store.control.addFault({ operation: 'consume', dropRequest: true, skip: 1 });
    expect((await consume()).status).toBe(200);
    await expect(consume({ removeQuantity: 2 })).rejects.toThrow();
    expect(await quantity()).toBe(4);
    store.control.addFault({ operation: '*', status: 429, headers: { 'retry-after': '7' } });
    expect(await consume()).toMatchObject({ status: 429, headers: { 'retry-after': '7' } });
    store.control.addFault({ operation: 'consume', actThenStatus: true, status: 500, body: '', times: 2 });
    expect(await consume({ removeQuantity: 3 })).toMatchObject({ status: 500, text: '' });
    expect(await quantity()).toBe(1);
    store.control.clearFaults();
    store.control.addFault({ operation: 'publisherQuery', truncateBody: true });
    await expect(query(['COINS'])).rejects.toThrow();
    store.control.addFault({ operation: 'publisherQuery', hugeBytes: 1_000_000 });
    expect((await query(['COINS'])).text).toHaveLength(1_000_000);
    store.control.addFault({ operation: 'publisherQuery', endlessBody: true });
    const endless = await request(`${store.collectionsUrl}/v9.0/collections/publisherQuery`, {
      method: 'POST',
      dispatcher: agent,
      body: '{}',
    });
    await new Promise((resolve) => endless.body.once('data', resolve));
    endless.body.on('error', () => undefined).destroy();
  });

  it('serves its control API over https, and answers unknown requests as the Store does', async () => {
    const url = `${store.purchaseUrl}/emulator`;
    expect((await post(`${url}/products/P%2F1`, { kind: 'Game' }, null, 'PUT')).body.productId).toBe('P/1');
    expect((await post(`${url}/purchases`, { user: 'u', productId: 'P/1' }, null)).body.lines).toHaveLength(1);
    expect((await post(`${url}/purchases`, { user: 'u', productId: 'P/1', typo: 1 }, null)).status).toBe(400);
    expect((await post(`${url}/nothing`, {}, null)).status).toBe(404);
    expect((await post(`${url}/state`, {}, null)).status).toBe(405);
    expect(await query(['P/1'], {}, undefined)).toMatchObject({ status: 200 });
    const lost = await post(`${store.collectionsUrl}/v7.0/purchases/grant`, {});
    expect(lost.status).toBe(404);
    expect(lost.headers).toMatchObject({ 'ms-correlationid': expect.any(String), 'ms-cv': expect.any(String) });
    expect((await post(`${store.collectionsUrl}/v8.0/collections/consume`, {}, undefined, 'PUT')).status).toBe(405);
    expect((await post(`${store.collectionsUrl}/v8.0/collections/consume`, '<html>')).status).toBe(400);
    expect(store.requests.at(-1)).toMatchObject({ operation: 'consume', status: 400, host: 'collections' });
    expect(JSON.stringify([store.control.state(), store.requests])).not.toMatch(/eyJ/);
  });

  it('exports and imports everything, keys included', async () => {
    store.control.putProduct('COINS', { kind: 'Consumable' });
    store.control.purchase({ user: 'u', productId: 'COINS', quantity: 5 });
    const key = keys().collectionsId;
    await consume();
    const saved = JSON.parse(JSON.stringify(store.exportState()));
    store.control.reset();
    expect((await query(['COINS'], {}, key)).status).toBe(401);
    store.importState(saved);
    expect((await query(['COINS'], {}, key)).body.items).toMatchObject([{ quantity: 4 }]);
  });
});
