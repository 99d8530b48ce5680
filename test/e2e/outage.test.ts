import { randomUUID } from 'node:crypto';
import { TableClient } from '@azure/data-tables';
import { expect, test } from 'vitest';
import {
  api,
  asked,
  expectProblem,
  keysOf,
  logText,
  query,
  rawApi,
  register,
  stack,
  storeIdsPath,
  useStack,
  xTokenOf,
} from './harness.ts';

useStack();

test('a rotated client secret is used without a restart', async () => {
  await stack.restartHost();
  const { clientId } = stack.identities.publisher;
  expect((await query({ collectionsId: keysOf('u').collectionsId, products: ['A'] })).status).toBe(200);
  stack.keyVault.setSecret('entra-client-secret', 'second-secret-second-secret');
  stack.entra.setSecrets(clientId, ['second-secret-second-secret']);
  // Another audience, whose token is not in memory yet.
  expect((await rawApi('GET', '/api/service-tickets')).status).toBe(200);
});

test('after a rotation of the encryption secret old rows are readable and re-encrypted', async () => {
  await register('before');
  stack.keyVault.setSecret('user-store-id-key', Buffer.alloc(32, 7).toString('base64'));
  await stack.restartHost();
  await register('after');
  const versions = async () => {
    const table = TableClient.fromConnectionString(stack.azurite.connectionString, 'StoreIds', {
      allowInsecureConnection: true,
    });
    const found: Record<string, unknown> = {};
    for await (const { userId, kind, secretVersion } of table.listEntities<Record<string, unknown>>())
      if (kind === 'collections') found[String(userId)] = secretVersion;
    return found;
  };
  const encryptedBy = await versions();
  expect(encryptedBy.before).not.toBe(encryptedBy.after);
  for (const userId of ['before', 'after', 'before'])
    expect((await query({ userId, products: ['A'] })).status).toBe(200);
  expect(await versions()).toMatchObject({ before: encryptedBy.after, after: encryptedBy.after });
});

test('a consume by X-token in a sandbox is not rejected by what the Store answers to a key', async () => {
  stack.settings.STORE_SANDBOX = 'XDKS.1';
  await stack.restartHost();
  await register('sandboxed');
  stack.store.control.putProduct('GEMS', { kind: 'UnmanagedConsumable' });
  stack.store.control.purchase({ user: 'sandboxed', productId: 'GEMS', sandbox: 'XDKS.1' });
  const body = { userId: 'sandboxed', productId: 'GEMS', trackingId: randomUUID(), managedBy: 'developer' };
  const consume = (more: object) => api('POST', '/api/consumables/consume', { ...body, ...more });
  const xToken = xTokenOf('sandboxed', { sandbox: 'XDKS.1' });
  stack.store.control.addFault({ operation: 'consume', dropResponse: true, times: 2 });
  expect((await consume({ xToken })).status).toBe(202);
  expect((await consume({})).status).toBe(202);
  expect((await consume({ xToken })).body).toMatchObject({ state: 'completed', newQuantity: 0 });
  // A consume that starts with a key is rejected by the same answer.
  expectProblem(await consume({ trackingId: randomUUID() }), 422, 'store_rejected');
  stack.settings.STORE_SANDBOX = 'RETAIL';
  await stack.restartHost();
});

test('a Store that cannot be reached: a query says so, and a consume is pending without an attempt', async () => {
  await register('unreached');
  stack.store.control.putProduct('COINS', { kind: 'Consumable' });
  stack.store.control.purchase({ user: 'unreached', productId: 'COINS', quantity: 3 });
  const { STORE_COLLECTIONS_URL: url = '' } = stack.settings;
  stack.settings.STORE_COLLECTIONS_URL = 'https://localhost:1';
  await stack.restartHost();
  const unreached = await query({ userId: 'unreached', products: ['A'] });
  const body = { userId: 'unreached', productId: 'COINS', trackingId: randomUUID() };
  const consume = () => api('POST', '/api/consumables/consume', body);
  const pending = await consume();
  const listed = (await api('GET', '/api/pending')).body.items;
  stack.settings.STORE_COLLECTIONS_URL = url;
  await stack.restartHost();
  expectProblem(unreached, 503, 'store_unavailable');
  expect([unreached.headers.get('retry-after'), unreached.body.detail]).toEqual(['5', expect.stringMatching(/again/)]);
  expect([pending.status, pending.body.reason]).toEqual([202, 'store_unavailable']);
  expect(listed).toMatchObject([{ userId: 'unreached', attempts: 0, reason: 'store_unavailable' }]);
  expect(logText()).toMatch(/"operation":"consume","outcome":"notSent",.*ECONNREFUSED/);
  expect((await consume()).body).toMatchObject({ state: 'completed', newQuantity: 2 });
});

test('Entra that does not answer is unavailable, with a Retry-After; health says so', async () => {
  await stack.restartHost();
  stack.entra.faults.add({ status: 503, times: null });
  const answer = await query({ collectionsId: keysOf('u').collectionsId, products: ['A'] });
  expectProblem(answer, 503, 'unavailable');
  expect(answer.headers.get('retry-after')).toBe(String(answer.body.retryAfterSeconds));
  expect(asked('publisherQuery')).toBe(0);
  const health = await api('GET', '/api/health');
  expect([health.status, health.body.status]).toEqual([503, 'failing']);
  const byName = Object.fromEntries(
    health.body.checks.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok]),
  );
  expect(byName).toMatchObject({ tables: true, identity: false });
});

test('Key Vault that does not answer is unavailable and nothing is stored', async () => {
  await stack.restartHost();
  stack.keyVault.faults.add({ status: 500, times: null });
  expectProblem(await api('PUT', storeIdsPath('u13'), keysOf('u13')), 503, 'unavailable');
  stack.keyVault.faults.clear();
  expect((await api('GET', storeIdsPath('u13'))).body.accounts).toEqual([]);
});

test('health is checked at most every 30 s', async () => {
  await stack.restartHost();
  const before = stack.keyVault.state.reads;
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => api('GET', '/api/health', undefined, { 'x-functions-key': '' })),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
  expect(answers[0]?.body).toEqual({
    status: 'ok',
    checks: ['tables', 'keyVault', 'identity'].map((name) => ({ name, ok: true })),
  });
  expect(stack.keyVault.state.reads - before).toBeLessThanOrEqual(2);
});

test('tables that do not answer are unavailable; the Store is not asked', async () => {
  await register('u14');
  await stack.azurite.stop();
  expectProblem(await query({ userId: 'u14', products: ['A'] }), 503, 'unavailable');
  expectProblem(await api('GET', storeIdsPath('u14')), 503, 'unavailable');
  expectProblem(await api('DELETE', storeIdsPath('u14')), 503, 'unavailable');
  expectProblem(await api('PUT', storeIdsPath('u14'), keysOf('u14')), 503, 'unavailable');
  // A key is judged before the state is read.
  const foreign = keysOf('u14', { clientId: 'foreign' });
  expectProblem(await api('PUT', storeIdsPath('u14'), foreign), 422, 'wrong_client');
  expect(asked('publisherQuery')).toBe(0);
});
