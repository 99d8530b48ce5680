import { TableClient } from '@azure/data-tables';
import { expect, test } from 'vitest';
import {
  type Answer,
  api,
  asked,
  expectProblem,
  keysOf,
  logText,
  query,
  register,
  sell,
  stack,
  useStack,
  xTokenOf,
} from './harness.ts';

useStack();

const day = 24 * 3600_000;
const ago = (days: number): string => new Date(Date.now() - days * day).toISOString();

test('what a player owns', async () => {
  await register('u');
  const { orderId } = sell('u', 'SWORD');
  const answer = await query({ userId: 'u', products: ['SWORD', { productId: 'SHIELD' }] });
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({
    userId: 'u',
    items: [{ account: 'default', productId: 'SWORD', orderId, status: 'Active' }],
  });
  expect(answer.body.items[0]).toMatchObject({
    skuId: '0010',
    kind: 'Durable',
    quantity: 1,
    endsAt: null,
    recurrenceId: null,
  });
  for (const time of [answer.body.queriedAt, answer.body.items[0].acquiredAt])
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const sent = stack.store.requests.at(-1);
  expect(sent).toMatchObject({
    method: 'POST',
    path: '/v9.0/collections/publisherQuery',
    headers: { authorization: expect.stringMatching(/^Bearer/) },
  });
  expect(sent?.body).toMatchObject({
    beneficiaries: [{ identityType: 'b2b' }],
    productSkuIds: [{ productId: 'SWORD' }, { productId: 'SHIELD' }],
    validityType: 'Valid',
    excludeDuplicates: true,
    maxPageSize: 200,
  });
  expect(sent?.body).not.toHaveProperty('sbx');
});

/** The rows of a user in a table. An ETag changes with each write. */
async function rowsOf(tableName: string, userId: string): Promise<Record<string, unknown>[]> {
  const { connectionString } = stack.azurite;
  const table = TableClient.fromConnectionString(connectionString, tableName, { allowInsecureConnection: true });
  const rows = [];
  for await (const row of table.listEntities()) if (row.userId === userId) rows.push(row);
  return rows;
}

test('order and recurrence ids that a query finds are stored for the user, those of consumables are not', async () => {
  await register('rememberer');
  const durable = sell('rememberer', 'HAT');
  const consumable = sell('rememberer', 'COINS', { kind: 'Consumable' });
  stack.store.control.addItem({
    user: 'rememberer',
    productId: 'CLUB',
    productKind: 'Pass',
    recurrenceData: 'mdr:0:abc:1',
  });
  expect((await query({ userId: 'rememberer', products: ['HAT', 'COINS', 'CLUB'] })).body.items).toHaveLength(3);
  const rows = await rowsOf('OrderLines', 'rememberer');
  expect(rows.map(({ productId, orderId, recurrenceId }) => [productId, orderId, recurrenceId])).toEqual(
    expect.arrayContaining([
      ['HAT', durable.orderId, undefined],
      ['CLUB', undefined, 'mdr:0:abc:1'],
    ]),
  );
  expect(rows.map(({ orderId }) => orderId)).not.toContain(consumable.orderId);
});

test('what is remembered is not written again, also after a renewal, a restart and a registration', async () => {
  const userId = 'returner';
  await register(userId, { issuedAt: ago(15) });
  const products = Array.from({ length: 5 }, (_, index) => `RETURN${index}`);
  for (const productId of products) sell(userId, productId);
  const owns = async () => expect((await query({ userId, products })).body.items).toHaveLength(5);
  const written = async (tableName: string) => (await rowsOf(tableName, userId)).map(({ etag }) => etag).sort();
  // The key is due, and the first query cannot renew it.
  stack.store.control.addFault({ operation: 'renew', status: 503, times: 4 });
  await owns();
  expect(asked('renew')).toBe(4);
  const remembered = await written('OrderLines');
  expect(remembered).toHaveLength(5);
  const keyRows = await written('StoreIds');
  await owns();
  expect([await written('OrderLines'), await written('StoreIds')]).toEqual([remembered, keyRows]);

  await stack.restartHost();
  await owns();
  expect(asked('renew')).toBe(5);
  const renewed = await written('StoreIds');
  expect(renewed).not.toEqual(keyRows);
  await owns();
  expect([await written('OrderLines'), await written('StoreIds')]).toEqual([remembered, renewed]);

  await register(userId);
  await owns();
  expect(await written('OrderLines')).toEqual(remembered);
  expect(JSON.stringify(await rowsOf('StoreIds', userId))).not.toMatch(/RETURN\d/i);
});

test('1,000 products in pages of 7: each once, with its newest status', async () => {
  await register('collector');
  stack.store.control.putSettings({ maxPageSize: 7, duplicatesAcrossPages: true });
  const products = Array.from({ length: 1000 }, (_, index) => `P${String(index).padStart(4, '0')}`);
  for (const [index, productId] of products.entries()) {
    const item = { user: 'collector', productId, skuId: '0010', endDate: ago(1) };
    if (index % 10 === 0) stack.store.control.addItem({ ...item, status: 'Revoked', modifiedDate: ago(1) });
    stack.store.control.addItem({ ...item, status: 'Expired', modifiedDate: ago(3) });
    if (index % 10 === 1) stack.store.control.addItem({ ...item, status: 'Banned', modifiedDate: ago(2) });
  }
  const { body } = await query({ userId: 'collector', products, validity: 'All' });
  expect(body.items.map(({ productId }: { productId: string }) => productId).sort()).toEqual(products);
  for (const { productId, status } of body.items) {
    expect(status).toBe(Number(productId.slice(1)) % 10 === 1 ? 'Banned' : 'Expired');
  }
  expect(asked('publisherQuery')).toBeGreaterThan(140);
});

test('one page that keeps failing: an error, never a partial result', async () => {
  await register('unlucky');
  for (let index = 0; index < 20; index += 1) stack.store.control.addItem({ user: 'unlucky', productId: `Q${index}` });
  stack.store.control.putSettings({ maxPageSize: 7 });
  stack.store.control.addFault({ operation: 'publisherQuery', status: 500, skip: 1, times: null });
  const answer = await query({ userId: 'unlucky', products: Array.from({ length: 20 }, (_, index) => `Q${index}`) });
  expectProblem(answer, 503, 'store_unavailable');
  expect(answer.body.items).toBeUndefined();
  expect(answer.headers.get('retry-after')).toBe(String(answer.body.retryAfterSeconds));
});

test('50 identical queries at once are one call, and the others are answered if one caller disconnects', async () => {
  await register('popular');
  sell('popular', 'SWORD');
  await query({ userId: 'popular', products: ['OTHER'] });
  const before = asked('publisherQuery');
  stack.store.control.addFault({ operation: 'publisherQuery', latencyMs: 400 });
  const body = JSON.stringify({ userId: 'popular', products: ['SWORD'] });
  const leaving = new AbortController();
  const aborted = fetch(`${stack.functionsUrl}/api/entitlements/query`, {
    method: 'POST',
    body,
    signal: leaving.signal,
    headers: { 'x-functions-key': stack.identities.functionKey },
  }).catch((fault: Error) => fault.name);
  const rest = Array.from({ length: 49 }, () => api('POST', '/api/entitlements/query', body));
  setTimeout(() => leaving.abort(), 150);
  expect(await aborted).toBe('AbortError');
  const answers = await Promise.all(rest);
  expect(answers.map(({ status }) => status)).toEqual(Array(49).fill(200));
  expect(new Set(answers.map(({ headers }) => headers.get('x-correlation-id'))).size).toBe(49);
  expect(asked('publisherQuery') - before).toBe(1);
});

test('two accounts of one player: all of both, or an error', async () => {
  await register('multi', { publisherUserId: 'multi' }, 'default');
  const second = keysOf('multi-second', { publisherUserId: 'multi' });
  await api('PUT', '/api/users/multi/store-ids', { account: 'second', ...second });
  sell('multi', 'SWORD');
  sell('multi-second', 'SWORD');
  sell('multi-second', 'SHIELD');
  const products = ['SWORD', 'SHIELD'];
  const all = await query({ userId: 'multi', account: '*', products, excludeDuplicates: false });
  const owned = (answer: Answer) =>
    answer.body.items.map((item: Record<string, string>) => `${item.account}:${item.productId}`).sort();
  expect(owned(all)).toEqual(['default:SWORD', 'second:SHIELD', 'second:SWORD']);
  expect((await query({ userId: 'multi', account: '*', products })).body.items).toHaveLength(2);
  expect(owned(await query({ userId: 'multi', account: 'second', products }))).toEqual([
    'second:SHIELD',
    'second:SWORD',
  ]);
  expectProblem(await query({ userId: 'multi', account: 'third', products }), 404, 'unknown_user');
  stack.store.control.addFault({ operation: 'publisherQuery', status: 400, skip: 1 });
  expectProblem(await query({ userId: 'multi', account: '*', products: ['SWORD'] }), 422, 'store_rejected');
});

test('429: a short pause is waited for, a long one is returned to the caller', async () => {
  const { collectionsId } = keysOf('hasty');
  stack.store.control.addFault({ operation: 'publisherQuery', status: 429, headers: { 'retry-after': '1' } });
  const started = Date.now();
  expect((await query({ collectionsId, products: ['A'] })).status).toBe(200);
  expect(Date.now() - started).toBeGreaterThanOrEqual(1000);
  stack.store.control.addFault({ operation: 'publisherQuery', status: 429, headers: { 'retry-after': '120' } });
  const answer = await query({ collectionsId, products: ['A'] });
  expectProblem(answer, 429, 'store_throttled');
  expect(answer.headers.get('retry-after')).toBe('120');
  expect(answer.body.retryAfterSeconds).toBe(120);
});

test('500 three times, then 200', async () => {
  stack.store.control.addFault({ operation: 'publisherQuery', status: 500, times: 3 });
  expect((await query({ collectionsId: keysOf('u').collectionsId, products: ['A'] })).status).toBe(200);
  expect(asked('publisherQuery')).toBe(4);
});

test.each([
  ['an HTML error page', { status: 502, body: '<html>Bad Gateway</html>', contentType: 'text/html' }],
  ['HTML with 200', { status: 200, body: '<html>Sign in</html>', contentType: 'text/html' }],
  ['invalid JSON', { status: 200, body: '{"items":[' }],
  ['10 MB of JSON', { hugeBytes: 10 * 1024 * 1024 }],
  ['JSON of another shape', { status: 200, body: { items: [{ productId: 5 }] } }],
  ['a cut body', { truncateBody: true }],
  ['no answer', { dropResponse: true }],
])('%s is store_unavailable', async (_name, fault) => {
  stack.store.control.addFault({ operation: 'publisherQuery', times: null, ...fault });
  expectProblem(await query({ collectionsId: keysOf('u').collectionsId, products: ['A'] }), 503, 'store_unavailable');
  stack.store.control.clearFaults();
  expect((await query({ collectionsId: keysOf('u').collectionsId, products: ['A'] })).status).toBe(200);
});

test('a key in the request is validated like a registered one, and never renewed', async () => {
  const products = ['A'];
  const queryWith = (collectionsId: string) => query({ collectionsId, products });
  expect((await queryWith(keysOf('u').collectionsId)).body.userId).toBeUndefined();
  expectProblem(await queryWith(keysOf('u').purchaseId), 422, 'invalid_store_id');
  expectProblem(await queryWith('nonsense'), 422, 'invalid_store_id');
  expectProblem(await queryWith(keysOf('u', { clientId: 'another' }).collectionsId), 422, 'wrong_client');
  expectProblem(await queryWith(keysOf('u', { issuedAt: ago(40) }).collectionsId), 409, 'store_id_expired');
  const revoked = keysOf('u').collectionsId;
  stack.store.control.revokeKeys({ key: revoked });
  expectProblem(await queryWith(revoked), 409, 'store_id_expired');
  stack.store.control.putSettings({ badKeyStyle: 'AuthenticationFailure' });
  expectProblem(await queryWith(revoked), 409, 'store_id_expired');
  expect(asked('renew')).toBe(0);
});

test('an X-token determines user and sandbox', async () => {
  const xToken = xTokenOf('gamer', { sandbox: 'XDKS.1' });
  stack.store.control.putProduct('SWORD', { kind: 'Durable' });
  stack.store.control.purchase({ user: 'gamer', productId: 'SWORD', sandbox: 'XDKS.1' });
  const answer = await query({ xToken: { ...xToken, signature: 'c2ln' }, products: ['SWORD'] });
  expect(answer.body.items.map(({ productId }: { productId: string }) => productId)).toEqual(['SWORD']);
  expect(answer.body.items[0]).not.toHaveProperty('account');
  expect(stack.store.requests.at(-1)?.headerNames).toContain('signature');
  expectProblem(
    await query({ xToken: xTokenOf('gamer', { expiresAt: ago(1) }), products: ['A'] }),
    409,
    'x_token_expired',
  );
  const foreign = await query({
    xToken: xTokenOf('gamer', { relyingParty: 'http://mp.microsoft.com/' }),
    products: ['A'],
  });
  expectProblem(foreign, 422, 'xbox_rejected');
});

test('another sandbox can be queried', async () => {
  await register('tester');
  stack.store.control.putProduct('SWORD', { kind: 'Durable' });
  stack.store.control.purchase({ user: 'tester', productId: 'SWORD', sandbox: 'XDKS.1' });
  expect((await query({ userId: 'tester', products: ['SWORD'] })).body.items).toEqual([]);
  expect((await query({ userId: 'tester', products: ['SWORD'], sandbox: 'XDKS.1' })).body.items).toHaveLength(1);
  expect(stack.store.requests.at(-1)?.body).toMatchObject({ sbx: 'XDKS.1' });
});

test('a user without keys is unknown; the Store is not asked', async () => {
  expectProblem(await query({ userId: 'nobody', products: ['A'] }), 404, 'unknown_user');
  expectProblem(await query({ userId: 'nobody', account: '*', products: ['A'] }), 404, 'unknown_user');
  expect(asked('publisherQuery')).toBe(0);
});

test('Game Pass: the tiers that the player has, higher ones including the lower', async () => {
  await register('member');
  const pass = () => api('POST', '/api/game-pass/query', { userId: 'member' });
  expect((await pass()).body).toMatchObject({ subscribed: false, tiers: [] });
  stack.store.control.putGamePass('member', { tiers: ['Ultimate'], startDate: '2026-01-02T03:04:05.678Z' });
  const { body } = await pass();
  expect(body.subscribed).toBe(true);
  expect(body.tiers.map(({ tier }: { tier: string }) => tier)).toEqual([
    'Console',
    'PC',
    'Essential',
    'Premium',
    'Ultimate',
  ]);
  expect(body.tiers.at(-1)).toMatchObject({ productId: 'CFQ7TTC0KHS0', since: '2026-01-02T03:04:05.678Z' });
  stack.store.control.putGamePass('member', { tiers: ['Starter'] });
  expect((await pass()).body).toMatchObject({ subscribed: false, tiers: [{ tier: 'Starter' }] });
  const some = await api('POST', '/api/game-pass/query', { userId: 'member', tiers: ['PC', 'Ultimate'] });
  expect(some.body).toMatchObject({ subscribed: false, tiers: [] });
  expectProblem(
    await api('POST', '/api/game-pass/query', { userId: 'member', tiers: ['Gold'] }),
    400,
    'invalid_request',
  );
});

test('a refusal of the Store is answered with its correlation ids', async () => {
  const body = {
    code: 'BadRequest',
    innererror: { code: 'InvalidParameter', message: 'market' },
    data: [],
    details: [],
  };
  stack.store.control.addFault({ operation: 'publisherQuery', status: 400, body });
  const answer = await query({ collectionsId: keysOf('u').collectionsId, products: ['A'] });
  expectProblem(answer, 422, 'store_rejected');
  expect(answer.body.store).toMatchObject({ status: 400, code: 'InvalidParameter', message: 'market' });
  expect(answer.body.store.cv).toEqual(expect.any(String));
  // The log is written by another process, and may be later than its answer.
  await expect.poll(logText, { timeout: 60_000 }).toContain(answer.body.store.cv);
});
