import { randomUUID } from 'node:crypto';
import { TableClient } from '@azure/data-tables';
import { expect, test } from 'vitest';
import {
  type Answer,
  api,
  asked,
  expectProblem,
  keysOf,
  logText,
  recover,
  register,
  stack,
  storeIdsPath,
  useStack,
  xTokenOf,
} from './harness.ts';

useStack();

const consume = (body: object): Promise<Answer> => api('POST', '/api/consumables/consume', body);
const recordOf = (user: string, id: string) => api('GET', `/api/consumables/consume/${encodeURIComponent(user)}/${id}`);
const pending = async (query = '') => api('GET', `/api/pending${query}`);
const sold = (user: string, productId: string, kind: 'Consumable' | 'UnmanagedConsumable', quantity = 1) => {
  stack.store.control.putProduct(productId, { kind });
  return stack.store.control.purchase({ user, productId, quantity });
};
const balance = (user: string, product: string) =>
  stack.store.control.state().users.find(({ user: name }) => name === user)?.balances.RETAIL?.[product] ?? 0;
const eventsOf = async (user: string) =>
  (await api('GET', '/api/events?limit=500')).body.events.filter(
    ({ subject }: { subject: string }) => subject === user,
  );

test('a consume that was asked with an X-token is never asked again with the stored key of another Store account', async () => {
  await register('two accounts');
  sold('two accounts', 'COINS', 'Consumable', 5);
  sold('their console', 'COINS', 'Consumable', 5);
  const body = { userId: 'two accounts', productId: 'COINS', trackingId: randomUUID(), quantity: 3 };
  const xToken = xTokenOf('their console');
  stack.store.control.addFault({ operation: 'consume', dropResponse: true, times: 2 });
  const lost = await consume({ ...body, xToken });
  expect([lost.status, lost.body.reason]).toEqual([202, 'x_token_required']);
  const calls = asked('consume');
  const keyed = await consume(body);
  expect([keyed.status, keyed.body.reason]).toEqual([202, 'x_token_required']);
  // Keys do not wake it.
  await api('PUT', storeIdsPath('two accounts'), keysOf('two accounts'));
  await recover();
  expect([asked('consume'), balance('two accounts', 'COINS'), balance('their console', 'COINS')]).toEqual([
    calls,
    5,
    2,
  ]);
  expect((await recordOf('two accounts', body.trackingId)).body).toMatchObject({
    state: 'pending',
    reason: 'x_token_required',
  });
  const again = await consume({ ...body, xToken });
  expect([again.status, again.body.newQuantity]).toEqual([200, 2]);
  expect(await eventsOf('two accounts')).toHaveLength(1);
});

test('a developer-managed consume with an X-token whose ids were lost takes no order of the stored key', async () => {
  await register('shared console');
  const stored = sold('shared console', 'GEMS', 'UnmanagedConsumable');
  sold('second account', 'GEMS', 'UnmanagedConsumable');
  stack.store.control.addFault({ operation: 'consume', dropResponse: true });
  const body = { userId: 'shared console', productId: 'GEMS', trackingId: randomUUID(), managedBy: 'developer' };
  const answer = await consume({ ...body, xToken: xTokenOf('second account') });
  expect([answer.status, answer.body.state, answer.body.orders]).toEqual([200, 'completed', []]);
  // The order of the stored key's account is free for its own consume.
  const own = await consume({ ...body, trackingId: randomUUID() });
  expect(own.body.orders).toMatchObject([{ orderId: stored.orderId }]);
});

test('a consume that may have been sent with the stored key is not sent with an X-token', async () => {
  await register('mixed');
  sold('mixed', 'COINS', 'Consumable', 3);
  sold('mixed console', 'COINS', 'Consumable', 3);
  const body = { userId: 'mixed', productId: 'COINS', trackingId: randomUUID(), quantity: 3 };
  stack.store.control.addFault({ operation: 'consume', dropResponse: true, times: 2 });
  expect((await consume(body)).status).toBe(202);
  const again = await consume({ ...body, xToken: xTokenOf('mixed console') });
  expect([again.status, again.body.newQuantity]).toEqual([200, 0]);
  expect([balance('mixed', 'COINS'), balance('mixed console', 'COINS')]).toEqual([0, 3]);
});

test('a consume for which this service has no identity is refused, and no record stays', async () => {
  await register('no identity');
  sold('no identity', 'COINS', 'Consumable', 2);
  const body = { userId: 'no identity', productId: 'COINS', trackingId: randomUUID() };
  await stack.restartHost();
  const { clientId, secret } = stack.identities.publisher;
  stack.entra.setSecrets(clientId, ['another-secret-another-secret']);
  expectProblem(await consume(body), 502, 'store_unauthorized');
  expect((await recordOf('no identity', body.trackingId)).status).toBe(404);
  stack.entra.setSecrets(clientId, [secret]);
  await stack.restartHost();
  stack.entra.faults.add({ status: 503, times: null });
  expectProblem(await consume(body), 503, 'unavailable');
  expect((await recordOf('no identity', body.trackingId)).status).toBe(404);
  expect(asked('consume')).toBe(0);
  stack.entra.faults.clear();
  await stack.restartHost();
  expect((await consume(body)).body).toMatchObject({ state: 'completed', replayed: false });
});

test('a developer-managed consume whose ids were lost waits for the purchase key, with that reason', async () => {
  const { collectionsId, purchaseId } = keysOf('half');
  await api('PUT', storeIdsPath('half'), { collectionsId });
  const order = sold('half', 'GEMS', 'UnmanagedConsumable');
  const body = { userId: 'half', productId: 'gems', trackingId: randomUUID(), managedBy: 'developer' };
  stack.store.control.addFault({ operation: 'consume', dropResponse: true });
  const waiting = await consume(body);
  expect([waiting.status, waiting.body.reason]).toEqual([202, 'store_id_expired']);
  expect((await consume(body)).status).toBe(202);
  // The Store has done it: it is not asked for that again.
  expect(asked('consume')).toBe(2);
  await api('PUT', storeIdsPath('half'), { purchaseId });
  await recover();
  expect((await recordOf('half', body.trackingId)).body).toMatchObject({
    state: 'completed',
    orders: [{ orderId: order.orderId, matchedBy: 'orders' }],
  });
  expect(await eventsOf('half')).toHaveLength(1);
});

test('product ids of repeats are compared without case, and what differs is named', async () => {
  await register('case');
  sold('case', 'COINS', 'Consumable', 3);
  const body = { userId: 'case', productId: 'COINS', trackingId: randomUUID() };
  expect((await consume(body)).status).toBe(200);
  expect((await consume({ ...body, productId: 'coins' })).body).toMatchObject({ replayed: true, productId: 'COINS' });
  for (const [member, value] of Object.entries({ productId: 'GEMS', quantity: 2, account: 'second' })) {
    const reused = await consume({ ...body, [member]: value });
    expectProblem(reused, 409, 'tracking_id_reused');
    expect(reused.body.detail).toContain(member);
  }
  sold('case', 'GEMS', 'UnmanagedConsumable');
  const wrongManager = await consume({ userId: 'case', productId: 'GEMS', trackingId: randomUUID() });
  expectProblem(wrongManager, 422, 'store_rejected');
  expect(wrongManager.body.detail).toContain('managedBy');
});

test('pending lists what is not settled, page by page, and nothing else', async () => {
  const users = Array.from({ length: 5 }, (_, index) => `listed-${index}`);
  for (const user of users) {
    await register(user);
    sold(user, 'COINS', 'Consumable', 2);
    await consume({ userId: user, productId: 'COINS', trackingId: randomUUID() });
  }
  stack.store.control.putProduct('GIFT', { kind: 'Durable', price: 0 });
  stack.store.control.addFault({ operation: '*', status: 429, times: null });
  const ids = new Map<string, string>();
  for (const user of users) {
    const trackingId = randomUUID();
    ids.set(user, trackingId);
    expect((await consume({ userId: user, productId: 'COINS', trackingId })).status).toBe(202);
  }
  const orderId = randomUUID();
  const gift = { userId: 'listed-0', productId: 'GIFT', skuId: '0010', availabilityId: 'GIFT-A1', orderId };
  await api('POST', '/api/grants', gift);

  const consumes = await pending('?kind=consume');
  const mine = consumes.body.items.filter(({ userId }: { userId: string }) => users.includes(userId));
  expect(mine).toHaveLength(users.length);
  for (const item of mine) {
    expect(item).toEqual({
      kind: 'consume',
      userId: item.userId,
      account: 'default',
      id: ids.get(item.userId),
      productId: 'COINS',
      since: expect.stringMatching(/\.\d{3}Z$/),
      attempts: 1,
      lastAttemptAt: expect.any(String),
      nextAttemptAt: expect.any(String),
      reason: 'store_throttled',
    });
    expect(Date.parse(item.nextAttemptAt)).toBeGreaterThan(Date.parse(item.lastAttemptAt));
  }
  const due = consumes.body.items.map(({ nextAttemptAt }: { nextAttemptAt: string }) => nextAttemptAt);
  expect(due).toEqual([...due].sort());
  expect((await pending('?kind=grant')).body).toMatchObject({ items: [{ kind: 'grant', id: orderId }], cursor: null });

  const paged: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Answer = await pending(`?limit=2${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    expect(page.status, page.text).toBe(200);
    expect(page.body.items.length).toBeLessThanOrEqual(2);
    paged.push(...page.body.items.map(({ id }: { id: string }) => id));
    cursor = page.body.cursor;
  } while (cursor !== null);
  const all = (await pending('?limit=100')).body.items.map(({ id }: { id: string }) => id);
  expect(paged.sort()).toEqual(all.sort());
  for (const query of ['?limit=0', '?limit=101', '?kind=x', '?cursor=x', '?cursor=', '?user=1', '?limit=1&limit=1']) {
    expectProblem(await pending(query), 400, 'invalid_request');
  }
  const wrongCursor = await pending('?cursor=x');
  expect(wrongCursor.body.errors).toEqual([{ path: '/query/cursor', message: 'is not a cursor of this list' }]);
  await expect.poll(logText).toMatch(/"code":"invalid_request","wrong":"\/query\/cursor"/);
  // Support finds the record of a log line by its user and id.
  expect(logText()).toContain(`"event":"fulfilment.pending","correlationId":`);
  expect(logText()).toMatch(new RegExp(`"userId":"listed-1","id":"${ids.get('listed-1')}","reason":"store_throttled"`));
  stack.store.control.clearFaults();
  for (const user of users) await consume({ userId: user, productId: 'COINS', trackingId: ids.get(user) });
  await api('POST', '/api/grants', gift);
  const left = (await pending()).body.items.map(({ userId }: { userId: string }) => userId);
  expect(left.filter((userId: string) => users.includes(userId))).toEqual([]);
});

test('a record of more orders than a row holds is settled, and so is its event', async () => {
  // A result of 5,000 orders, as it stands in a record whose lines are claimed.
  const orders = Array.from({ length: 5000 }, () => ({ orderId: randomUUID(), lineItemId: randomUUID(), quantity: 1 }));
  await register('whale');
  sold('whale', 'COINS', 'Consumable', 5000);
  const trackingId = randomUUID();
  const orderTransactions = orders.map(({ orderId, lineItemId, quantity }) => {
    return { orderId, orderLineItemId: lineItemId, quantityConsumed: quantity };
  });
  stack.store.control.addFault({
    operation: 'consume',
    body: { itemId: 'i', productId: 'COINS', trackingId, newQuantity: 0, orderTransactions },
  });
  const first = await consume({ userId: 'whale', productId: 'COINS', trackingId, quantity: 5000 });
  expect([200, 202]).toContain(first.status);
  for (let run = 0; run < 10; run += 1) {
    if ((await recordOf('whale', trackingId)).body.state === 'completed') break;
    await recover();
  }
  const record = await recordOf('whale', trackingId);
  expect(record.body.state).toBe('completed');
  expect(record.body.orders).toEqual(orders);
  const events = await eventsOf('whale');
  expect(events).toHaveLength(first.status === 202 ? 1 : 0);
  for (const { data } of events) expect(data).toEqual(record.body);
  const table = TableClient.fromConnectionString(stack.azurite.connectionString, 'OrderLines', {
    allowInsecureConnection: true,
  });
  let claimed = 0;
  for await (const line of table.listEntities<{ userId: string }>()) if (line.userId === 'whale') claimed += 1;
  expect(claimed).toBe(5000);
});
