/** What the Store has been seen to send, or its documents allow (store-api.md). A new case is a line of a table. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Answer, api, asked, expectProblem, keysOf, query, register, sell, stack, useStack } from './harness.ts';

useStack();

type Changes = Record<string, unknown>[];
const change = (operation: 'publisherQuery' | 'b2bLicensePreview' | 'consume' | 'ordersQuery' | 'grant') => {
  return (edit: Changes, status?: number) =>
    stack.store.control.addFault({
      operation,
      times: null,
      edit: edit as never,
      ...(status !== undefined && { status }),
    });
};
const item = (name: string, value: unknown) => [{ path: `/items/0/${name}`, value }];
const without = (name: string) => [{ path: `/items/0/${name}`, remove: true }];
const renamed = (name: string, rename: string) => [{ path: `/items/0/${name}`, rename }];

/** One entitlement, as the real answer shows it. */
const sword = {
  id: 'item1',
  productId: 'SWORD',
  skuId: '0010',
  kind: 'Durable',
  status: 'Active',
  quantity: 3,
  acquiredAt: '2026-01-02T03:04:05.678Z',
  endsAt: null,
  recurrenceId: 'mdr:0:abc:1',
  orderId: 'o1',
  satisfiedBy: ['CLUB'],
  trial: { isTrial: true, inTrialPeriod: false, remainingSeconds: 93_784 },
};

function giveSword(user: string) {
  stack.store.control.addItem({
    user,
    id: 'item1',
    productId: 'SWORD',
    skuId: '0010',
    productKind: 'Durable',
    quantity: 3,
    acquiredDate: '2026-01-02T03:04:05.6785331+00:00',
    recurrenceData: 'mdr:0:abc:1',
    transactionId: 'o1',
    satisfiedByProductIds: ['CLUB'],
    trialData: { isTrial: true, isInTrialPeriod: false, trialTimeRemaining: '01:02:03:04.5000000' },
  });
  return keysOf(user).collectionsId;
}

const trial = (remainingSeconds: number | null) => ({ trial: { ...sword.trial, remainingSeconds } });

test.each<[string, Changes, object]>([
  ['the documented answer', [], {}],
  ['no id', without('id'), { id: null }],
  ['an id of null', item('id', null), { id: null }],
  ['an id that is a number', item('id', 5), { id: null }],
  ['members in capitals', [...renamed('productId', 'ProductId'), ...renamed('status', 'STATUS')], {}],
  ['a list in capitals', [{ path: '/items', rename: 'Items' }], {}],
  ['no status', without('status'), { status: 'Unknown' }],
  ['no kind', without('productKind'), { kind: 'Unknown' }],
  ['the kind under its other name', renamed('productKind', 'productType'), {}],
  ['a quantity as text', item('quantity', '12'), { quantity: 12 }],
  ['a quantity of null', item('quantity', null), { quantity: 1 }],
  ['a quantity that is no number', item('quantity', 'many'), { quantity: 1 }],
  ['a date of the year 1', item('acquiredDate', '0001-01-01T00:00:00+00:00'), { acquiredAt: null }],
  ['a date that does not exist', item('acquiredDate', '2021-06-142T21:53:08Z'), { acquiredAt: null }],
  ['a date that is a number', item('acquiredDate', 1_700_000_000), { acquiredAt: null }],
  ['an empty SKU', item('skuId', ''), { skuId: null }],
  ['a recurrence id under its own name', renamed('recurrenceData', 'recurrenceId'), {}],
  ['a recurrence id in an object', item('recurrenceData', { recurrenceId: 'mdr:0:abc:1' }), {}],
  ['an empty recurrence', item('recurrenceData', {}), { recurrenceId: null }],
  ['a recurrence id that is empty', item('recurrenceData', ''), { recurrenceId: null }],
  ['a trial time of .NET', item('trialData/trialTimeRemaining', '1.02:03:04.5000000'), {}],
  ['a trial time without days', item('trialData/trialTimeRemaining', '02:03:04'), trial(7384)],
  ['a trial that is over', item('trialData/trialTimeRemaining', '-00:00:01'), trial(0)],
  ['a trial in words', item('trialData/trialTimeRemaining', 'a day'), trial(null)],
  ['booleans as text', item('trialData/isTrial', 'True'), {}],
  ['no trial', item('trialData', null), { trial: { isTrial: false, inTrialPeriod: false, remainingSeconds: null } }],
  ['odd entries among products', item('satisfiedByProductIds', [null, 'CLUB', 5]), {}],
  ['products of null', item('satisfiedByProductIds', null), { satisfiedBy: [] }],
])('an entitlement with %s', async (_name, edit, expected) => {
  const collectionsId = giveSword('u');
  change('publisherQuery')(edit);
  const answer = await query({ collectionsId, products: ['SWORD'] });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.items).toMatchObject([{ ...sword, ...expected }]);
});

test.each<[string, Changes]>([
  ['no list', [{ path: '/items', remove: true }]],
  ['a list of null', [{ path: '/items', value: null }]],
])('an answer with %s is an empty one', async (_name, edit) => {
  const { collectionsId } = keysOf('u');
  change('publisherQuery')(edit);
  expect((await query({ collectionsId, products: ['SWORD'] })).body).toMatchObject({ items: [] });
  await register('poor');
  const pass = await api('POST', '/api/game-pass/query', { userId: 'poor' });
  expect(pass.body).toMatchObject({ subscribed: false, tiers: [] });
});

test.each<[string, Changes]>([
  ['an item without a product id', without('productId')],
  ['a product id of null', item('productId', null)],
  ['an item of null', [{ path: '/items/0', value: null }]],
  ['a list that is none', [{ path: '/items', value: 'none' }]],
  ['a continuation token that cannot be read', [{ path: '/continuationToken', value: { next: 2 } }]],
  ['an error body', [{ path: '', value: { code: 'ServiceUnavailable', message: 'later' } }]],
])('%s makes the answer an error, never a part', async (_name, edit) => {
  const collectionsId = giveSword('u');
  change('publisherQuery')(edit);
  expectProblem(await query({ collectionsId, products: ['SWORD'] }), 503, 'store_unavailable');
});

test('an answer 201 is one', async () => {
  const collectionsId = giveSword('u');
  change('publisherQuery')([], 201);
  expect((await query({ collectionsId, products: ['SWORD'] })).body.items).toMatchObject([sword]);
});

test('ids in another case: sent as written, shown as the Store writes them, one of each', async () => {
  const { collectionsId } = keysOf('u');
  sell('u', 'Sword');
  stack.store.control.addItem({ user: 'u', productId: 'SWORD', skuId: '0010', status: 'Expired' });
  stack.store.control.putSettings({ duplicatesAcrossPages: true, maxPageSize: 1 });
  const products = ['sword', 'SWORD', { productId: 'SwOrD', skuId: '0010' }];
  const { body } = await query({ collectionsId, products, validity: 'All' });
  expect(body.items).toMatchObject([{ productId: 'Sword', status: 'Active' }]);
  expect(stack.store.requests.at(-1)?.body).toMatchObject({ productSkuIds: [{ productId: 'sword' }] });
});

test('v8 without products asks for the whole catalogue; v9 needs products', async () => {
  const { collectionsId } = keysOf('u');
  sell('u', 'SWORD');
  sell('u', 'SHIELD');
  const answer = await query({ collectionsId, api: 'v8' });
  expect(answer.body.items.map(({ productId }: { productId: string }) => productId).sort()).toEqual([
    'SHIELD',
    'SWORD',
  ]);
  expect(stack.store.requests.at(-1)?.body).not.toHaveProperty('productSkuIds');
  const refused = await query({ collectionsId });
  expectProblem(refused, 400, 'invalid_request');
  expect(refused.body.errors).toMatchObject([{ path: '/body/products' }]);
});

test('the members that v8 adds are shown when the Store sends them', async () => {
  const { collectionsId } = keysOf('u');
  const added = {
    legacyProductId: 'L',
    devOfferId: 'D',
    inAppOfferToken: 'T',
    tags: ['vip'],
    sharingSource: 'Family',
  };
  stack.store.control.addItem({ user: 'u', productId: 'SWORD', ...added });
  stack.store.control.addItem({ user: 'u', productId: 'SHIELD', tags: null });
  change('b2bLicensePreview')([{ path: '/items/0/recurrenceData', value: { recurrenceId: 'mdr:0:v8:1' } }]);
  const { body } = await query({ collectionsId, products: ['SWORD', 'SHIELD'], api: 'v8' });
  const more = { productFamily: 'Games', purchasedCountry: 'US' };
  expect(body.items).toMatchObject([
    { ...added, ...more, recurrenceId: 'mdr:0:v8:1' },
    { ...more, recurrenceId: null },
  ]);
  expect(body.items[1]).not.toHaveProperty('devOfferId');
  expect(body.items[1]).not.toHaveProperty('tags');
});

test.each<[string, Changes]>([
  ['as documented', []],
  ['with ids in lower case', item('productId', 'cfq7ttc0kgq8')],
  ['with its status in lower case', item('status', 'active')],
  ['without a status', without('status')],
  ['with a start that cannot be read', item('startDate', 'soon')],
  ['with an object as recurrence', item('recurrenceData', { recurrenceId: 'mdr:0:gp:1' })],
])('Game Pass %s is subscribed', async (_name, edit) => {
  const { collectionsId } = keysOf('member');
  stack.store.control.putGamePass('member', { tiers: ['PC'] });
  change('publisherQuery')(edit);
  const { body } = await api('POST', '/api/game-pass/query', { collectionsId });
  expect(body).toMatchObject({
    subscribed: true,
    tiers: [{ tier: 'PC', recurrenceId: expect.stringMatching(/^mdr:/) }],
  });
});

let users = 0;
async function consumer(quantity = 5, kind: 'Consumable' | 'UnmanagedConsumable' = 'Consumable') {
  users += 1;
  const userId = `consumer${users}`;
  await register(userId);
  stack.store.control.putProduct('COINS', { kind });
  const { orderId, lines } = stack.store.control.purchase({ user: userId, productId: 'COINS', quantity });
  const body = { userId, productId: 'COINS', trackingId: randomUUID() };
  const line = { orderId, lineItemId: lines[0]?.lineItemId };
  const consume = (more: object = {}): Promise<Answer> =>
    api(
      'POST',
      '/api/consumables/consume',
      kind === 'Consumable' ? { ...body, ...more } : { ...body, managedBy: 'developer', ...more },
    );
  return { line, consume };
}
const firstLine = '/orderTransactions/0';

test.each<[string, Changes, object]>([
  ['a balance as text', [{ path: '/newQuantity', value: '2' }], { newQuantity: 2 }],
  ['members in capitals', [{ path: '/newQuantity', rename: 'NewQuantity' }], {}],
  ['no order lines', [{ path: '/orderTransactions', value: null }], { orders: [] }],
  ['a line without its quantity', [{ path: `${firstLine}/quantityConsumed`, remove: true }], {}],
  ['a quantity as text', [{ path: `${firstLine}/quantityConsumed`, value: '3' }], {}],
])('a consume answered with %s is completed', async (_name, edit, expected) => {
  const { consume, line } = await consumer();
  change('consume')(edit, 201);
  const answer = await consume({ quantity: 3 });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body).toMatchObject({ newQuantity: 2, orders: [{ ...line, quantity: 3 }], ...expected });
});

test.each<[string, Changes]>([
  ['no balance', [{ path: '/newQuantity', remove: true }]],
  ['a line without its order', [{ path: `${firstLine}/orderId`, remove: true }]],
  ['lines that cannot be read', [{ path: '/orderTransactions', value: 'none' }]],
  ['an empty object', [{ path: '', value: {} }]],
])('a consume answered with %s is pending, and settled by an answer that can be read', async (_name, edit) => {
  const { consume, line } = await consumer();
  change('consume')(edit);
  expect((await consume({ quantity: 3 })).status).toBe(202);
  stack.store.control.clearFaults();
  const settled = await consume({ quantity: 3 });
  expect(settled.body).toMatchObject({ state: 'completed', newQuantity: 2, orders: [{ ...line, quantity: 3 }] });
});

test('a consume asked in lower case keeps its order line', async () => {
  const { consume, line } = await consumer();
  expect((await consume({ productId: 'coins' })).body).toMatchObject({ orders: [{ ...line, quantity: 1 }] });
});

test('a developer-managed consume without a balance is completed', async () => {
  const { consume, line } = await consumer(1, 'UnmanagedConsumable');
  change('consume')([{ path: '/newQuantity', remove: true }]);
  expect((await consume()).body).toMatchObject({ state: 'completed', newQuantity: 0, orders: [line] });
});

const orderLine = '/items/0/orderLineItems/0';

test.each<[string, Changes]>([
  ['a date that cannot be read', [{ path: '/items/0/orderPurchasedDate', value: '2021-06-142T1:1:1Z' }]],
  ['a state in lower case', [{ path: `${orderLine}/lineItemState`, value: 'purchased' }]],
  ['a quantity as text', [{ path: `${orderLine}/quantity`, value: '1' }]],
  ['members in capitals', [{ path: '/items/0/orderLineItems', rename: 'OrderLineItems' }]],
])('a lost consume is matched with orders of %s', async (_name, edit) => {
  const { consume, line } = await consumer(1, 'UnmanagedConsumable');
  stack.store.control.addFault({ operation: 'consume', dropResponse: true });
  change('ordersQuery')(edit);
  expect((await consume()).body).toMatchObject({ state: 'completed', orders: [{ ...line, matchedBy: 'orders' }] });
});

test.each<[string, Changes]>([
  ['a line without its id', [{ path: `${orderLine}/lineItemId`, remove: true }]],
  ['a line without a state', [{ path: `${orderLine}/lineItemState`, value: null }]],
  ['a quantity that cannot be read', [{ path: `${orderLine}/quantity`, value: 'few' }]],
  ['an order of null', [{ path: '/items/0', value: null }]],
])('a lost consume whose orders have %s is not completed without its line', async (_name, edit) => {
  const { consume, line } = await consumer(1, 'UnmanagedConsumable');
  stack.store.control.addFault({ operation: 'consume', dropResponse: true });
  change('ordersQuery')(edit);
  expect((await consume()).status).toBe(202);
  expect(asked('ordersQuery')).toBe(1);
  stack.store.control.clearFaults();
  expect((await consume()).body).toMatchObject({ state: 'completed', orders: [line] });
});

async function grantFree(edit: Changes, status?: number): Promise<Answer> {
  users += 1;
  const userId = `granted${users}`;
  await register(userId);
  stack.store.control.putProduct('FREE', { kind: 'Durable', price: 0 });
  change('grant')(edit, status);
  const product = { productId: 'FREE', skuId: '0010', availabilityId: 'FREE-A1' };
  return api('POST', '/api/grants', { userId, ...product, orderId: randomUUID() });
}

test.each<[string, Changes, object]>([
  ['as documented', [], {}],
  ['in lower case', [{ path: '/orderState', value: 'purchased' }], {}],
  [
    'with members in lower case',
    [
      { path: '/createdTime', rename: 'createdtime' },
      { path: '/orderState', rename: 'orderstate' },
    ],
    {},
  ],
  ['without lines', [{ path: '/orderLineItems', value: null }], { lineItems: [] }],
  ['with a quantity as text', [{ path: '/orderLineItems/0/quantity', value: '1' }], {}],
])('a grant answered 201 %s is completed', async (_name, edit, expected) => {
  const answer = await grantFree(edit, 201);
  expect(answer.status, answer.text).toBe(201);
  expect(answer.body).toMatchObject({
    orderState: 'Purchased',
    lineItems: [{ productId: 'FREE', quantity: 1 }],
    ...expected,
  });
});

test.each(['Canceled', 'Cancelled', 'cancelled'])('a grant whose order is %s is rejected', async (state) => {
  expectProblem(await grantFree([{ path: '/orderState', value: state }]), 422, 'store_rejected');
});

test('a grant without an order state is pending', async () => {
  expect((await grantFree([{ path: '/orderState', remove: true }])).status).toBe(202);
});

test.each([
  [400, { code: 7, innererror: { code: 9, data: 'x' } }, 503],
  [400, { code: 'BadRequest', innererror: [] }, 422],
  [400, { Code: 'BadRequest', InnerError: { Code: 'InvalidParameter' } }, 422],
  [403, { code: 'Forbidden', innererror: { code: null, data: { a: 1 } }, details: 5 }, 422],
  [503, [], 503],
  [404, 'no such page', 503],
  [500, '', 503],
])('an error body breaks nothing: %i %j', async (status, body, expected) => {
  const { collectionsId } = keysOf('u');
  stack.store.control.addFault({ operation: 'publisherQuery', times: null, status, body });
  expect((await query({ collectionsId, products: ['SWORD'] })).status).toBe(expected);
});
