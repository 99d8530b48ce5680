import { expect, onTestFinished, test } from 'vitest';
import { startHostProcess } from '../../local/hostProcess.ts';
import { api, expectProblem, keysOf, query, register, stack, useStack } from './harness.ts';

useStack();

const bare = async (method: string, path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`${stack.functionsUrl}${path}`, { method, headers });
  return {
    status: response.status,
    text: await response.text(),
    correlation: response.headers.get('x-correlation-id'),
  };
};

test('answers of the host itself: unknown routes and methods 404, no key 401, all without a body', async () => {
  const key = { 'x-functions-key': stack.identities.functionKey };
  const nothing = { text: '', correlation: null };
  expect(await bare('GET', '/api/nothing', key)).toEqual({ status: 404, ...nothing });
  expect(await bare('GET', '/', key)).toEqual({ status: 404, ...nothing });
  for (const method of ['GET', 'OPTIONS', 'HEAD', 'DELETE']) {
    expect(await bare(method, '/api/entitlements/query', key)).toEqual({ status: 404, ...nothing });
  }
  for (const headers of [{}, { 'x-functions-key': 'wrong' }]) {
    expect(await bare('GET', '/api/service-tickets', headers)).toEqual({ status: 401, ...nothing });
    expect(await bare('POST', '/api/entitlements/query', headers)).toEqual({ status: 401, ...nothing });
  }
  expect((await bare('GET', `/api/users/u/store-ids?code=${stack.identities.functionKey}`)).status).toBe(200);
  expect((await bare('GET', '/api/users/u/store-ids', { 'x-functions-key': stack.identities.masterKey })).status).toBe(
    200,
  );
  expect((await bare('GET', '/api/health')).status).toBe(200);
  expect((await bare('GET', '/api/openapi.json')).status).toBe(200);
});

test('without a master key in its settings the local host accepts none', async () => {
  const { FUNCTIONS_MASTER_KEY: _, ...settings } = stack.settings;
  const host = await startHostProcess({ ...settings, FUNCTIONS_PORT: '0' });
  onTestFinished(() => host.stop());
  for (const headers of [{}, { 'x-functions-key': '' }]) {
    const answer = await fetch(`http://localhost:${host.port}/api/service-tickets`, { headers });
    expect(answer.status).toBe(401);
  }
});

test('the correlation id is the caller\u2019s if it is valid, else new', async () => {
  for (const chosen of ['a', '!~'.repeat(64)]) {
    const answer = await api('GET', '/api/users/u/store-ids', undefined, { 'x-correlation-id': chosen });
    expect(answer.headers.get('x-correlation-id')).toBe(chosen);
  }
  for (const unfit of ['x'.repeat(129), 'a b', '\u00e9', '']) {
    const answer = await api('GET', '/api/users/u/store-ids', undefined, { 'x-correlation-id': unfit });
    expect(answer.headers.get('x-correlation-id')).toMatch(/^[0-9a-f-]{36}$/);
  }
});

const big = (bytes: number) => `{"userId":"${'x'.repeat(bytes - 13)}"}`;

test.each([
  ['no body', '', 400, '/body'],
  ['not JSON', '{', 400, '/body'],
  ['not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400, '/body'],
  ['an array', '[]', 400, '/body'],
  ['null', 'null', 400, '/body'],
  ['just within the size', big(256 * 1024), 400, '/body/products'],
  ['over the size', big(256 * 1024 + 1), 413, undefined],
  ['no user', { products: ['A'] }, 400, '/body'],
  ['two users', { userId: 'u', collectionsId: 'k', products: ['A'] }, 400, '/body'],
  ['an account and a key', { collectionsId: 'k', account: 'a', products: ['A'] }, 400, '/body/account'],
  ['no products', { userId: 'u', products: [] }, 400, '/body/products'],
  ['1,001 products', { userId: 'u', products: Array(1001).fill('A') }, 400, '/body/products'],
  ['a bad product', { userId: 'u', products: ['A', 'B', 'C', ''] }, 400, '/body/products/3'],
  [
    'a surplus member of a product',
    { userId: 'u', products: [{ productId: 'A', sku: '1' }] },
    400,
    '/body/products/0/sku',
  ],
  ['an unknown member', { userId: 'u', products: ['A'], 'a/b~c': 1 }, 400, '/body/a~1b~0c'],
  ['__proto__', '{"userId":"u","products":["A"],"__proto__":{"x":1}}', 400, '/body/__proto__'],
  ['v8 options with v9', { userId: 'u', products: ['A'], v8: {} }, 400, '/body/v8'],
  [
    'an X-token with a line break',
    { xToken: { userHash: 'a\r\nb', token: 't' }, products: ['A'] },
    400,
    '/body/xToken/userHash',
  ],
  ['a validity in lower case', { userId: 'u', products: ['A'], validity: 'all' }, 400, '/body/validity'],
])('a query with %s', async (_name, body, status, path) => {
  const answer = await api('POST', '/api/entitlements/query', body);
  expectProblem(answer, status, status === 413 ? 'payload_too_large' : 'invalid_request');
  expect(answer.body.errors?.map((error: { path: string }) => error.path)).toEqual(
    path === undefined ? undefined : expect.arrayContaining([path]),
  );
});

test('routes without a body accept none or {}, and query parameters are refused', async () => {
  expect((await api('DELETE', '/api/users/u/store-ids', '{}')).status).toBe(204);
  for (const body of ['{"a":1}', '[]', '5', '"x"', 'null', '{']) {
    expectProblem(await api('DELETE', '/api/users/u/store-ids', body), 400, 'invalid_request');
  }
  for (const path of ['/api/users/u/store-ids?x=1', '/api/health?x=', '/api/users/u%3Fx=1/store-ids?y=2&y=2']) {
    expectProblem(await api('GET', path), 400, 'invalid_request');
  }
  expect((await api('GET', '/api/users/u%3Fx=1/store-ids')).body.userId).toBe('u?x=1');
});

test('the content type is ignored', async () => {
  await register('typed');
  const body = JSON.stringify({ userId: 'typed', products: ['A'] });
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'nonsense']) {
    expect((await api('POST', '/api/entitlements/query', body, { 'content-type': type })).status).toBe(200);
  }
});

test('a query of v8 sends what v8 requires', async () => {
  const { collectionsId } = keysOf('eight');
  stack.store.control.putProduct('OLD', { kind: 'Durable', legacyProductId: 'legacy-1' });
  stack.store.control.purchase({ user: 'eight', productId: 'OLD' });
  stack.store.control.putSettings({ v8KindMember: 'productType' });
  const v8 = { entitlementFilters: ['*:Durable'], expandSatisfyingItems: false };
  const { body } = await query({ collectionsId, products: ['OLD'], api: 'v8', v8 });
  expect(body.items).toMatchObject([
    { productId: 'OLD', kind: 'Durable', legacyProductId: 'legacy-1', recurrenceId: null },
  ]);
  expect(stack.store.requests.at(-1)?.body).toMatchObject({ market: 'neutral', maxPageSize: 100, ...v8 });
});
