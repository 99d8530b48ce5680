import { randomUUID } from 'node:crypto';
import { TableClient } from '@azure/data-tables';
import { expect, test } from 'vitest';
import {
  type Answer,
  api,
  asked,
  expectProblem,
  fireRecovery,
  keysOf,
  register,
  stack,
  storeIdsPath,
  useStack,
  xTokenOf,
} from './harness.ts';

useStack();

const consume = (body: object): Promise<Answer> => api('POST', '/api/consumables/consume', body);
const recordOf = (user: string, id: string) => api('GET', `/api/consumables/consume/${encodeURIComponent(user)}/${id}`);
const events = async (query = '') => (await api('GET', `/api/events${query}`)).body;
const balance = (user: string, product = 'COINS') =>
  stack.store.control.state().users.find(({ user: name }) => name === user)?.balances.RETAIL?.[product] ?? 0;
const coins = (user: string, quantity: number, kind = 'Consumable', productId = 'COINS') => {
  stack.store.control.putProduct(productId, { kind: kind as 'Consumable' });
  return stack.store.control.purchase({ user, productId, quantity });
};
const eventsOf = async (user: string) =>
  (await events('?limit=500')).events.filter(({ subject }: { subject: string }) => subject === user);

async function lines(user: string): Promise<Record<string, unknown>[]> {
  const table = TableClient.fromConnectionString(stack.azurite.connectionString, 'OrderLines', {
    allowInsecureConnection: true,
  });
  const rows: Record<string, unknown>[] = [];
  for await (const row of table.listEntities()) if (row.userId === user) rows.push(row);
  return rows;
}

test('a consume from three orders, and its replay', async () => {
  await register('c1');
  const orders = [coins('c1', 3), coins('c1', 3), coins('c1', 3)];
  const trackingId = randomUUID();
  const body = { userId: 'c1', productId: 'COINS', trackingId: trackingId.toUpperCase(), quantity: 7 };
  const first = await consume(body);
  expect(first.status, first.text).toBe(200);
  expect(first.body).toEqual({
    state: 'completed',
    trackingId,
    userId: 'c1',
    account: 'default',
    productId: 'COINS',
    managedBy: 'store',
    quantity: 7,
    newQuantity: 2,
    replayed: false,
    completedAt: expect.stringMatching(/\.\d{3}Z$/),
    orders: orders.map(({ orderId, lines: [line] }, index) => ({
      orderId,
      lineItemId: line?.lineItemId,
      quantity: [3, 3, 1][index],
    })),
  });
  const sent = stack.store.requests.at(-1);
  expect(sent?.body).toMatchObject({ productId: 'COINS', trackingId, removeQuantity: 7, includeOrderIds: true });
  const again = await consume({ ...body, trackingId });
  expect([again.status, again.body]).toEqual([200, { ...first.body, replayed: true }]);
  expect((await recordOf('c1', trackingId)).body).toEqual(first.body);
  expect([asked('consume'), balance('c1')]).toEqual([1, 2]);
  expect((await lines('c1')).map(({ orderId, quantity }) => `${orderId} ${quantity}`).sort()).toEqual(
    first.body.orders.map(({ orderId, quantity }: Record<string, unknown>) => `${orderId} ${quantity}`).sort(),
  );
  expect(await eventsOf('c1')).toEqual([]);
});

test('a developer-managed consume sends no quantity', async () => {
  await register('c2');
  const order = coins('c2', 1, 'UnmanagedConsumable', 'GEMS');
  const answer = await consume({ userId: 'c2', productId: 'GEMS', trackingId: randomUUID(), managedBy: 'developer' });
  expect(answer.body).toMatchObject({
    state: 'completed',
    quantity: 1,
    newQuantity: 0,
    orders: [{ orderId: order.orderId, quantity: 1 }],
  });
  expect(stack.store.requests.at(-1)?.body).not.toHaveProperty('removeQuantity');
});

test('a final refusal of the Store is stored, and its replay gets the same answer', async () => {
  await register('c3');
  coins('c3', 1);
  const few = { userId: 'c3', productId: 'COINS', trackingId: randomUUID(), quantity: 2 };
  for (let round = 0; round < 2; round += 1) {
    const answer = await consume(few);
    expectProblem(answer, 409, 'insufficient_quantity');
    expect(answer.body.store).toMatchObject({ status: 400, code: 'InsufficientConsumeQuantity' });
  }
  expect(asked('consume')).toBe(1);
  expect((await recordOf('c3', few.trackingId)).body).toMatchObject({
    state: 'rejected',
    code: 'insufficient_quantity',
    quantity: 2,
  });
  expectProblem(
    await consume({ userId: 'c3', productId: 'NOTHING', trackingId: randomUUID() }),
    409,
    'insufficient_quantity',
  );
  expectProblem(
    await consume({ userId: 'c3', productId: 'COINS', trackingId: randomUUID(), managedBy: 'developer' }),
    422,
    'store_rejected',
  );
  expect(await eventsOf('c3')).toEqual([]);
});

test('the same id with other parameters, and the same id of another user', async () => {
  const trackingId = randomUUID();
  await register('c4');
  await register('c5');
  await register('c4', {}, 'second');
  coins('c4', 5);
  coins('c5', 5);
  const body = { userId: 'c4', productId: 'COINS', trackingId };
  expect((await consume(body)).status).toBe(200);
  for (const other of [{ quantity: 2 }, { productId: 'GEMS' }, { managedBy: 'developer' }, { account: 'second' }]) {
    expectProblem(await consume({ ...body, ...other }), 409, 'tracking_id_reused');
  }
  expect(asked('consume')).toBe(1);
  expect((await consume({ ...body, userId: 'c5' })).body).toMatchObject({ state: 'completed', replayed: false });
  expect([balance('c4'), balance('c5')]).toEqual([4, 4]);
});

test.each([
  ['429', { status: 429, headers: { 'retry-after': '1' } }, 'store_throttled'],
  ['401', { status: 401, times: 3 }, expect.stringMatching(/^store_(unauthorized|id_expired)$/)],
  ['500', { status: 500, times: 2 }, 'store_unavailable'],
  ['503 with HTML', { status: 503, body: '<html>', contentType: 'text/html', times: 2 }, 'store_unavailable'],
  ['400 in HTML', { status: 400, body: '<html>', contentType: 'text/html' }, 'store_unavailable'],
  ['404 without words', { status: 404, body: '' }, 'store_unavailable'],
  [
    '400 with an unknown code',
    { status: 400, body: { code: 'BadRequest', innererror: { code: 'Novel' } } },
    'store_unavailable',
  ],
  ['403', { status: 403, body: { code: 'Forbidden' } }, 'store_unavailable'],
  ['200 of another shape', { status: 200, body: { newQuantity: 'many' }, times: 2 }, 'store_unavailable'],
])('%s is answered pending; the same request later completes it, with one event', async (name, fault, reason) => {
  const user = `pending-${name}`;
  await register(user);
  coins(user, 3);
  const body = { userId: user, productId: 'COINS', trackingId: randomUUID(), quantity: 2 };
  stack.store.control.addFault({ operation: 'consume', ...fault });
  const pending = await consume(body);
  expect(pending.status, pending.text).toBe(202);
  expect(pending.body).toEqual({
    state: 'pending',
    trackingId: body.trackingId,
    userId: user,
    account: 'default',
    productId: 'COINS',
    managedBy: 'store',
    quantity: 2,
    since: expect.any(String),
    reason,
  });
  expect(Number(pending.headers.get('retry-after'))).toBeGreaterThan(0);
  const record = await api('GET', pending.headers.get('location') ?? '');
  expect(record.body).toEqual(pending.body);
  stack.store.control.clearFaults();
  const settled = await consume(body);
  expect([settled.status, settled.body.replayed, balance(user)]).toEqual([200, false, 1]);
  const [event, ...more] = await eventsOf(user);
  expect(more).toEqual([]);
  expect(event).toMatchObject({
    specversion: '1.0',
    source: '/microsoft-store-functions',
    type: 'consume.completed',
    subject: user,
  });
  expect(event.data).toEqual({ ...settled.body, replayed: false });
  expect(event.time).toBe(settled.body.completedAt);
});

test.each([
  'dropResponse',
  'actThenStatus',
  'truncateBody',
])('an answer that is lost (%s) comes with the second attempt', async (fault) => {
  const user = `lost-${fault}`;
  await register(user);
  coins(user, 3);
  stack.store.control.addFault({ operation: 'consume', [fault]: true });
  const answer = await consume({ userId: user, productId: 'COINS', trackingId: randomUUID(), quantity: 3 });
  expect([answer.status, answer.body.state, answer.body.orders.length, balance(user)]).toEqual([
    200,
    'completed',
    1,
    0,
  ]);
  expect(await eventsOf(user)).toEqual([]);
});

test('a developer-managed consume whose order ids were lost is matched with the orders', async () => {
  await register('c6');
  const claimed = coins('c6', 1, 'UnmanagedConsumable', 'GEMS');
  await consume({ userId: 'c6', productId: 'GEMS', trackingId: randomUUID(), managedBy: 'developer' });
  const order = coins('c6', 1, 'UnmanagedConsumable', 'GEMS');
  stack.store.control.putSettings({ maxPageSize: 1 });
  stack.store.control.addFault({ operation: 'consume', dropResponse: true });
  const answer = await consume({ userId: 'c6', productId: 'GEMS', trackingId: randomUUID(), managedBy: 'developer' });
  expect(answer.body.orders).toEqual([
    { orderId: order.orderId, lineItemId: expect.any(String), quantity: 1, matchedBy: 'orders' },
  ]);
  expect(answer.body.orders[0].orderId).not.toBe(claimed.orderId);
  expect((await lines('c6')).map(({ orderId }) => orderId).sort()).toEqual([claimed.orderId, order.orderId].sort());
});

test('keys: none, a revoked one and its successor, and an X-token', async () => {
  const body = (userId: string) => ({ userId, productId: 'COINS', trackingId: randomUUID() });
  const unknown = body('nobody');
  expectProblem(await consume(unknown), 404, 'unknown_user');
  expect((await recordOf('nobody', unknown.trackingId)).status).toBe(404);

  const keys = await register('c7');
  coins('c7', 2);
  stack.store.control.revokeKeys({ key: keys.collectionsId });
  const dying = body('c7');
  const pending = await consume(dying);
  expect(pending.status, pending.text).toBe(202);
  expect((await consume(dying)).status).toBe(202);
  expect(balance('c7')).toBe(2);
  await api('PUT', storeIdsPath('c7'), keysOf('c7'));
  // Made due, not attempted: the next run of the timer attempts it, though its pause is not over.
  expect(balance('c7')).toBe(2);
  await fireRecovery();
  await expect
    .poll(async () => (await recordOf('c7', dying.trackingId)).body, { timeout: 60_000 })
    .toMatchObject({ state: 'completed', newQuantity: 1 });
  // The record is settled first, then its event is published.
  await expect.poll(() => eventsOf('c7')).toHaveLength(1);

  const xToken = xTokenOf('c8');
  coins('c8', 1);
  const byToken = { ...body('c8'), xToken, account: 'console' };
  expect((await consume(byToken)).body).toMatchObject({ state: 'completed', account: 'console' });
  expect(stack.store.requests.at(-1)?.body).not.toHaveProperty('beneficiary');
});

test('an id that was refused before anything was sent can be used again', async () => {
  const body = { userId: 'c9', productId: 'COINS', trackingId: randomUUID() };
  expectProblem(await consume(body), 404, 'unknown_user');
  await register('c9');
  coins('c9', 2);
  expect((await consume({ ...body, quantity: 2 })).body).toMatchObject({
    state: 'completed',
    quantity: 2,
    replayed: false,
  });
});

test('200 consumes of 20 users with repeated ids at once: balances are as the records say', async () => {
  const users = Array.from({ length: 20 }, (_, index) => `crowd-${index}`);
  for (const user of users) {
    await register(user);
    for (let order = 0; order < 10; order += 1) coins(user, 3);
  }
  const ids = Array.from({ length: 4 }, () => randomUUID());
  const requests = Array.from({ length: 200 }, (_, index) => {
    const id = Math.floor(Math.random() * ids.length);
    return {
      userId: users[index % users.length] ?? '',
      trackingId: ids[id] ?? '',
      productId: 'COINS',
      quantity: id + 1,
    };
  });
  const answers = await Promise.all(requests.map(consume));
  expect(answers.map(({ status }) => status).filter((status) => status !== 200 && status !== 202)).toEqual([]);
  for (const user of users) {
    const asks = requests.filter(({ userId }) => userId === user);
    const distinct = new Map(asks.map(({ trackingId, quantity }) => [trackingId, quantity]));
    for (const trackingId of distinct.keys()) {
      await expect.poll(async () => (await recordOf(user, trackingId)).body.state).toBe('completed');
    }
    expect(balance(user)).toBe(30 - [...distinct.values()].reduce((sum, quantity) => sum + quantity, 0));
  }
});

const grant = (body: object): Promise<Answer> => api('POST', '/api/grants', body);
const free = (user: string) => {
  stack.store.control.putProduct('GIFT', { kind: 'Durable', price: 0 });
  return { userId: user, productId: 'GIFT', skuId: '0010', availabilityId: 'GIFT-A1', orderId: randomUUID() };
};

test('a grant: 201 first, then 200, and the record', async () => {
  await register('g1');
  const body = free('g1');
  const first = await grant(body);
  expect(first.status, first.text).toBe(201);
  expect(first.body).toEqual({
    state: 'completed',
    orderId: body.orderId,
    userId: 'g1',
    account: 'default',
    productId: 'GIFT',
    skuId: '0010',
    orderState: 'Purchased',
    replayed: false,
    completedAt: expect.any(String),
    lineItems: [{ lineItemId: expect.any(String), productId: 'GIFT', skuId: '0010', quantity: 1 }],
  });
  const again = await grant(body);
  expect([again.status, again.body]).toEqual([200, { ...first.body, replayed: true }]);
  expect((await api('GET', `/api/grants/g1/${body.orderId}`)).body).toEqual(first.body);
  expect(asked('grant')).toBe(1);
  expectProblem(await grant({ ...body, availabilityId: 'OTHER' }), 409, 'tracking_id_reused');
  expect(stack.store.requests.at(-1)?.body).toMatchObject({ orderId: body.orderId, market: 'us', language: 'en-us' });
});

test('grants that are refused, pending and canceled', async () => {
  await register('g2');
  stack.store.control.putProduct('PAID', { kind: 'Durable' });
  const paid = { ...free('g2'), productId: 'PAID', availabilityId: 'PAID-A1' };
  for (let round = 0; round < 2; round += 1) expectProblem(await grant(paid), 422, 'store_rejected');
  expect((await api('GET', `/api/grants/g2/${paid.orderId}`)).body).toMatchObject({
    state: 'rejected',
    availabilityId: 'PAID-A1',
  });

  stack.store.control.putSettings({ grantOrderState: 'Pending' });
  const body = free('g2');
  const pending = await grant(body);
  expect([pending.status, pending.body.state, pending.body.availabilityId]).toEqual([202, 'pending', 'GIFT-A1']);
  expect((await api('GET', pending.headers.get('location') ?? '')).body).toEqual(pending.body);
  stack.store.control.putSettings({ grantOrderState: 'Purchased' });
  expect((await grant(body)).status).toBe(201);
  expect((await eventsOf('g2')).map(({ type }: { type: string }) => type)).toEqual(['grant.completed']);

  stack.store.control.putSettings({ grantOrderState: 'Canceled' });
  expectProblem(await grant(free('g2')), 422, 'store_rejected');
  stack.store.control.addFault({
    operation: 'grant',
    status: 403,
    body: { code: 'Forbidden', innererror: { code: 'PartnerAadTicketRequired' } },
    times: 3,
  });
  expect((await grant(free('g2'))).status).toBe(202);
});

test('events: acknowledged once, then gone; parameters are validated', async () => {
  await register('e1');
  coins('e1', 5);
  for (let count = 0; count < 3; count += 1) {
    const body = { userId: 'e1', productId: 'COINS', trackingId: randomUUID() };
    stack.store.control.addFault({ operation: 'consume', status: 429 });
    await consume(body);
    await consume(body);
  }
  const mine = await eventsOf('e1');
  expect(mine).toHaveLength(3);
  const ids = mine.map(({ id }: { id: string }) => id);
  expect([...ids].sort()).toEqual(ids);
  expect((await api('POST', '/api/events/ack', { ids: [ids[0], ids[1], ids[0], 'no such'] })).body).toEqual({
    acknowledged: 2,
  });
  expect((await api('POST', '/api/events/ack', { ids: [ids[0], ids[1]] })).body).toEqual({ acknowledged: 0 });
  expect((await eventsOf('e1')).map(({ id }: { id: string }) => id)).toEqual([ids[2]]);
  for (const query of ['?limit=0', '?limit=501', '?limit=x', '?wait=21', '?wait=-1', '?limit=1&limit=1', '?cursor=1']) {
    expectProblem(await api('GET', `/api/events${query}`), 400, 'invalid_request');
  }
  expectProblem(await api('POST', '/api/events/ack', { ids: [] }), 400, 'invalid_request');
});

test('long poll: answers within a second of an event, and with none after its time', async () => {
  const all = await events('?limit=500');
  if (all.events.length > 0)
    await api('POST', '/api/events/ack', { ids: all.events.map(({ id }: { id: string }) => id) });
  const from = Date.now();
  expect(await events('?wait=1')).toEqual({ events: [], more: false });
  expect(Date.now() - from).toBeGreaterThanOrEqual(1000);
  await register('e2');
  coins('e2', 1);
  const body = { userId: 'e2', productId: 'COINS', trackingId: randomUUID() };
  stack.store.control.addFault({ operation: 'consume', status: 429 });
  await consume(body);
  const polled = events('?wait=20').then((feed) => ({ feed, at: Date.now() }));
  await new Promise((resolve) => setTimeout(resolve, 700));
  await consume(body);
  const written = Date.now();
  const { feed, at } = await polled;
  expect(feed.events).toHaveLength(1);
  expect(at - written).toBeLessThan(1000);
});

test.each([
  ['a tracking id that is none', { trackingId: 'x' }, '/body/trackingId'],
  ['no tracking id', { trackingId: undefined }, '/body/trackingId'],
  ['quantity 0', { quantity: 0 }, '/body/quantity'],
  ['quantity 1.5', { quantity: 1.5 }, '/body/quantity'],
  ['quantity 1,000,001', { quantity: 1_000_001 }, '/body/quantity'],
  ['two developer-managed', { managedBy: 'developer', quantity: 2 }, '/body/quantity'],
  ['a sandbox', { sandbox: 'X' }, '/body/sandbox'],
])('a consume with %s', async (_name, over, path) => {
  const answer = await consume({ userId: 'u', productId: 'COINS', trackingId: randomUUID(), ...over });
  expectProblem(answer, 400, 'invalid_request');
  expect(answer.body.errors[0].path).toBe(path);
});

test('records that do not exist', async () => {
  expectProblem(await recordOf('u', randomUUID()), 404, 'not_found');
  expectProblem(await recordOf('u', 'x'), 400, 'invalid_request');
  expectProblem(await api('GET', `/api/grants/u/${randomUUID()}`), 404, 'not_found');
});
