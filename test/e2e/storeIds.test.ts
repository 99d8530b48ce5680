import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { movableClock, moveClock } from '../support/hostClock.ts';
import {
  api,
  asked,
  expectProblem,
  keysOf,
  query,
  rawApi,
  register,
  sell,
  stack,
  storeIdsPath,
  useStack,
} from './harness.ts';

useStack({ settings: movableClock });
beforeAll(() => stack.entra.setTokenLifetime(7 * 24 * 3600));

const day = 24 * 3600_000;
const ago = (days: number): string => new Date(Date.now() - days * day).toISOString();
const list = async (user: string) => (await api('GET', storeIdsPath(user))).body.accounts;
const put = (user: string, body: object) => api('PUT', storeIdsPath(user), body);

test('register, list, delete; never a key', async () => {
  const keys = keysOf('u1');
  const answer = await put('u1', keys);
  expect(answer.status).toBe(200);
  const info = { issuedAt: expect.stringMatching(/\.000Z$/), expiresAt: expect.any(String), state: 'fresh' };
  expect(answer.body).toMatchObject({ userId: 'u1', account: 'default', collections: info, purchase: info });
  const { issuedAt, expiresAt, renewAfter } = answer.body.collections;
  expect(Date.parse(expiresAt) - Date.parse(issuedAt)).toBe(30 * day);
  expect(Date.parse(renewAfter) - Date.parse(issuedAt)).toBe(14 * day);
  await put('u1', { account: 'second', purchaseId: keysOf('u1').purchaseId });
  expect(await list('u1')).toMatchObject([
    { account: 'default', collections: info, purchase: info },
    { account: 'second', purchase: info },
  ]);
  for (let round = 0; round < 2; round += 1) {
    const gone = await api('DELETE', storeIdsPath('u1'));
    expect([gone.status, gone.text]).toEqual([204, '']);
    expect(await list('u1')).toEqual([]);
  }
});

test('an older key never replaces a newer one', async () => {
  const older = keysOf('u2', { issuedAt: ago(3) });
  const newer = keysOf('u2', { issuedAt: ago(1) });
  await put('u2', newer);
  const answer = await put('u2', { collectionsId: older.collectionsId });
  expect([answer.status, answer.body.collections.issuedAt]).toEqual([200, (await list('u2'))[0].collections.issuedAt]);
  expect(Date.parse(answer.body.collections.issuedAt)).toBeGreaterThan(Date.now() - 2 * day);
});

test('an older key that has expired is not renewed: the newer one stays', async () => {
  await register('u2b', { issuedAt: ago(1) });
  const answer = await put('u2b', keysOf('u2b', { issuedAt: ago(31) }));
  expect([answer.status, answer.body.collections.state, asked('renew')]).toEqual([200, 'fresh', 0]);
});

test('eight writers at once: the newest key stays, and no request fails', async () => {
  const keys = Array.from({ length: 8 }, (_, index) => keysOf('u3', { issuedAt: ago(8 - index) }));
  const answers = await Promise.all(keys.map((pair) => put('u3', pair)));
  expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
  const { iat } = JSON.parse(Buffer.from(keys[7]?.collectionsId.split('.')[1] ?? '', 'base64url').toString());
  const newest = await put('u3', keys[7] ?? {});
  expect(Date.parse(newest.body.collections.issuedAt)).toBe(iat * 1000);
});

test('keys that are refused are not stored', async () => {
  const good = keysOf('u4');
  const [head = '', claims = '', signature = ''] = good.collectionsId.split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const cases: [object, number, string][] = [
    [{ collectionsId: good.purchaseId }, 422, 'invalid_store_id'],
    [{ purchaseId: good.collectionsId }, 422, 'invalid_store_id'],
    [{ collectionsId: 'not a jwt' }, 422, 'invalid_store_id'],
    [{ collectionsId: `${none}.${claims}.${signature}` }, 422, 'invalid_store_id'],
    [{ collectionsId: `${head}.${claims}.` }, 422, 'invalid_store_id'],
    [{ collectionsId: `${head}.${'A'.repeat(200 * 1024)}.${signature}` }, 422, 'invalid_store_id'],
    [
      { collectionsId: keysOf('u4', { issuedAt: new Date(Date.now() + 6 * 60_000).toISOString() }).collectionsId },
      422,
      'invalid_store_id',
    ],
    [{ ...good, collectionsId: keysOf('u4', { clientId: 'foreign' }).collectionsId }, 422, 'wrong_client'],
    [{ ...good, purchaseId: keysOf('u4', { publisherUserId: 'U4' }).purchaseId }, 409, 'user_mismatch'],
    [{}, 400, 'invalid_request'],
    [{ ...good, delegationToken: 'x' }, 400, 'invalid_request'],
    [{ delegationToken: 'x' }, 422, 'xbox_rejected'],
    [{ ...good, account: 'a b' }, 400, 'invalid_request'],
    [{ ...good, surplus: 1 }, 400, 'invalid_request'],
  ];
  for (const [body, status, code] of cases) expectProblem(await put('u4', body), status, code);
  expect(await list('u4')).toEqual([]);
  expect(stack.store.requests).toEqual([]);
});

test('an expired key is renewed at its registration, or refused', async () => {
  const expired = () => keysOf('u5', { issuedAt: ago(31) }).collectionsId;
  expect((await put('u5', { collectionsId: expired() })).body.collections.state).toBe('fresh');
  await api('DELETE', storeIdsPath('u5'));
  stack.store.control.putSettings({ renewExpired: false });
  expectProblem(await put('u5', { collectionsId: expired() }), 409, 'store_id_expired');
  stack.store.control.addFault({ operation: 'renew', status: 503, times: 4 });
  expectProblem(await put('u5', { collectionsId: expired() }), 503, 'store_unavailable');
  stack.store.control.addFault({ operation: 'renew', status: 429, headers: { 'retry-after': '60' } });
  expectProblem(await put('u5', { collectionsId: expired() }), 429, 'store_throttled');
  expect(await list('u5')).toEqual([]);
});

test('a due key is stored as it is, and renewed once by two queries at once', async () => {
  await register('u6', { issuedAt: ago(15) });
  expect((await list('u6'))[0].collections.state).toBe('due');
  expect(asked('renew')).toBe(0);
  sell('u6', 'SWORD');
  const [one, two] = await Promise.all(
    ['SWORD', 'SHIELD'].map((product) => query({ userId: 'u6', products: [product] })),
  );
  expect([one?.status, two?.status]).toEqual([200, 200]);
  expect(asked('renew')).toBe(1);
  const [account] = await list('u6');
  expect([account.collections.state, account.purchase.state]).toEqual(['fresh', 'due']);
  await query({ userId: 'u6', products: ['SWORD'] });
  expect(asked('renew')).toBe(1);
});

test('a due key whose renewal fails is still used; an expired one is not', async () => {
  await register('u7', { issuedAt: ago(15) });
  stack.store.control.addFault({ operation: 'renew', status: 500, times: 4 });
  expect((await query({ userId: 'u7', products: ['A'] })).status).toBe(200);
  // Expires in a minute.
  const almost = keysOf('u8', { issuedAt: ago(14), lifetimeDays: 14 + 1 / 1440 });
  expect((await put('u8', almost)).body.collections.state).toBe('due');
  stack.store.control.addFault({ operation: 'renew', status: 500, times: null });
  await moveClock(stack, 61_000);
  expect((await list('u8'))[0].collections.state).toBe('expired');
  expectProblem(await query({ userId: 'u8', products: ['A'] }), 503, 'store_unavailable');
  stack.store.control.clearFaults();
  const remembered = await query({ userId: 'u8', products: ['A'] });
  expectProblem(remembered, 503, 'store_unavailable');
  await moveClock(stack, 1000 * Number(remembered.headers.get('retry-after')));
  expect((await query({ userId: 'u8', products: ['A'] })).status).toBe(200);
});

/** A query by another user shows that the Store takes this service's token. */
const honestQuery = async (): Promise<void> => {
  const { collectionsId } = keysOf('honest');
  expect((await query({ collectionsId, products: ['A'] })).status).toBe(200);
};

test('two refused renewals, ten minutes apart, make a key unrenewable; an older key may then replace it', async () => {
  const keys = await register('u9', { issuedAt: ago(15) });
  stack.store.control.revokeKeys({ key: keys.collectionsId });
  const state = async () => (await list('u9'))[0].collections.state;
  await honestQuery();
  const older = () => put('u9', { collectionsId: keysOf('u9', { issuedAt: ago(16) }).collectionsId });
  for (const badKeyStyle of ['AuthenticationTokenInvalid', 'AuthenticationFailure'] as const) {
    stack.store.control.putSettings({ badKeyStyle });
    expect(await state()).toBe('due');
    await older();
    expectProblem(await query({ userId: 'u9', products: ['A'] }), 409, 'store_id_expired');
    await honestQuery();
    await moveClock(stack, 11 * 60_000);
  }
  await expect.poll(state).toBe('unrenewable');
  expect((await older()).body.collections.state).toBe('due');
  expect((await query({ userId: 'u9', products: ['A'] })).status).toBe(200);
});

test('a key that the Store revoked early is reported, and one refusal does not end it', async () => {
  const keys = await register('u10');
  stack.store.control.revokeKeys({ key: keys.collectionsId });
  await honestQuery();
  for (const badKeyStyle of ['AuthenticationTokenInvalid', 'AuthenticationFailure'] as const) {
    stack.store.control.putSettings({ badKeyStyle });
    const answer = await query({ userId: 'u10', products: ['A'] });
    expectProblem(answer, 409, 'store_id_expired');
    expect(answer.body.detail).toContain('PUT /api/users/{userId}/store-ids');
  }
  await honestQuery();
  expect((await list('u10'))[0].collections.state).toBe('fresh');
  expect(asked('renew')).toBe(1);
});

test('a 401 that remains with a new token and a new key', async () => {
  await register('u11');
  // By now the token is old enough to be at fault.
  await moveClock(stack, 2 * 60_000);
  await honestQuery();
  stack.store.control.addFault({
    operation: 'publisherQuery',
    status: 401,
    times: null,
    body: { code: 'Unauthorized', innererror: { code: 'authenticationTokenInvalid', message: 'no' } },
  });
  // The Store took this service's token for another call just now.
  expectProblem(await query({ userId: 'u11', products: ['A'] }), 409, 'store_id_expired');
  expect([asked('publisherQuery'), asked('renew')]).toEqual([4, 1]);
  // A token that is new is not replaced, and a key of a request has no other: nothing is sent twice.
  const before = asked('publisherQuery');
  expectProblem(await query({ collectionsId: keysOf('u11').collectionsId, products: ['A'] }), 409, 'store_id_expired');
  expect(asked('publisherQuery') - before).toBe(1);
});

test('a key may name another publisherUserId than the user id, if it is given; its renewals too', async () => {
  const keys = keysOf('u11b', { issuedAt: ago(15), publisherUserId: 'xuid-1' });
  expectProblem(await put('u11b', keys), 409, 'user_mismatch');
  expect((await put('u11b', { ...keys, publisherUserId: 'xuid-1' })).status).toBe(200);
  expect((await query({ userId: 'u11b', products: ['A'] })).status).toBe(200);
  expect([(await list('u11b'))[0].collections.state, asked('renew')]).toEqual(['fresh', 1]);
  const nobody = keysOf('u11c', { publisherUserId: 'NoUserIdProvided' });
  expect((await put('u11c', nobody)).status).toBe(200);
  expectProblem(await put('u11c', { delegationToken: 'x', publisherUserId: 'y' }), 400, 'invalid_request');
});

test('a user without keys is told how to register them', async () => {
  const answer = await query({ userId: 'nobody', products: ['A'] });
  expectProblem(answer, 404, 'unknown_user');
  expect(answer.body.detail).toMatch(/collections key.*PUT \/api\/users\/\{userId\}\/store-ids with collectionsId/);
});

test('a key with another refreshUri is renewed only at the configured Store', async () => {
  let connections = 0;
  const elsewhere = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise((resolve) => elsewhere.close(() => resolve())));
  const refreshUri = `https://localhost:${(elsewhere.address() as AddressInfo).port}/v6.0/b2b/keys/renew`;
  await register('u12', { issuedAt: ago(20), refreshUri });
  expect((await query({ userId: 'u12', products: ['A'] })).status).toBe(200);
  const older = { account: 'second', purchaseId: keysOf('u12', { issuedAt: ago(31), refreshUri }).purchaseId };
  const expired = await put('u12', older);
  expect(expired.body.purchase.state).toBe('fresh');
  expect(asked('renew')).toBe(2);
  const [collections, purchase] = stack.store.requests.filter(({ operation }) => operation === 'renew');
  expect([collections?.host, purchase?.host]).toEqual(['collections', 'purchase']);
  expect(collections?.headerNames).not.toContain('authorization');
  expect(connections).toBe(0);
});

const strange = [
  'a/b',
  'a%b',
  'a"b',
  "a'b",
  'a\\b',
  'a?b=c',
  'a#b',
  'a b',
  'a+b',
  '\u{1f600}',
  'Ren\u00e9',
  'ren\u00e9',
  'ID',
  'id',
  '...',
  '<a>',
  'x'.repeat(256),
  '\u{1f600}'.repeat(256),
];

test('user ids of any characters are different users', async () => {
  for (const [index, user] of strange.entries()) {
    await register(user);
    sell(user, `PRODUCT${index}`);
  }
  for (const [index, user] of strange.entries()) {
    expect((await api('GET', storeIdsPath(user))).body).toMatchObject({
      userId: user,
      accounts: [{ account: 'default' }],
    });
    const products = strange.map((_, other) => `PRODUCT${other}`);
    const { body } = await query({ userId: user, products });
    expect([body.userId, body.items.map(({ productId }: { productId: string }) => productId)]).toEqual([
      user,
      [`PRODUCT${index}`],
    ]);
  }
  await api('DELETE', storeIdsPath('id'));
  expect(await list('ID')).toHaveLength(1);
});

const refused = [
  '.',
  '..',
  '\u0000',
  'a\u0000b',
  'a%41',
  '100%25',
  'x'.repeat(257),
  '\u{1f600}'.repeat(257),
  '\ud800',
  'a\udc00',
];

test.each(
  refused.map((user) => [JSON.stringify(user).slice(0, 20), user]),
)('the user id %s is refused in bodies', async (_name, userId) => {
  const answer = await query(JSON.parse(JSON.stringify({ userId, products: ['A'] })));
  expectProblem(answer, 400, 'invalid_request');
  expect(answer.body.errors[0].path).toBe('/body/userId');
});

test('the same in paths, if the host passes them on', async () => {
  for (const escaped of ['a%2541', '100%2525', 'x'.repeat(257), '%F0%9F%98%80'.repeat(257)]) {
    const answer = await api('GET', `/api/users/${escaped}/store-ids`);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors[0].path).toBe('/path/userId');
  }
  for (const escaped of ['%00', '%ED%A0%80', '%zz'])
    expect((await api('GET', `/api/users/${escaped}/store-ids`)).status).toBe(400);
});

test('service tickets are for the two audiences of a client', async () => {
  const answer = await rawApi('GET', '/api/service-tickets');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const audience = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).aud;
  expect(audience(answer.body.collections.token)).toBe('https://onestore.microsoft.com/b2b/keys/create/collections');
  expect(audience(answer.body.purchase.token)).toBe('https://onestore.microsoft.com/b2b/keys/create/purchase');
  expect(Date.parse(answer.body.purchase.expiresAt)).toBeGreaterThan(Date.now() + 50 * 60_000);
});
