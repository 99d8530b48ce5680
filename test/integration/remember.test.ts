/** What queries remember of a user, with real tables: which requests it costs, and that the marks outlive the key. */
import { randomUUID } from 'node:crypto';
import { TableClient } from '@azure/data-tables';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningAzurite, startAzurite } from '../../local/azurite.ts';
import { Problem } from '../../src/shared/contract/problems.ts';
import { createEntitlementsQuery } from '../../src/shared/entitlements/query.ts';
import { createRemember } from '../../src/shared/entitlements/remember.ts';
import { createOrderLinesTable } from '../../src/shared/state/orderLines.ts';
import { marksIn } from '../../src/shared/state/seenMarks.ts';
import { createStoreIdsTable } from '../../src/shared/state/storeIds.ts';
import { createTableOpener, type OpenTable } from '../../src/shared/state/tables.ts';
import type { CollectionsApi, StoreItem } from '../../src/shared/store/collections.ts';
import { storeItem } from '../../src/shared/store/storeItem.ts';
import { createKeyring, type Keyring } from '../../src/shared/storeIds/keyring.ts';
import { createStoreIds } from '../../src/shared/storeIds/register.ts';
import { answer } from '../support/storeAnswer.ts';
import { type Decide, startTableProxy, type TableProxy } from '../support/tableProxy.ts';
import { day, keyOf, minute, world } from '../unit/storeIds/world.ts';

let azurite: RunningAzurite;
let proxy: TableProxy;
let openTable: OpenTable;
beforeAll(async () => {
  azurite = await startAzurite();
  proxy = await startTableProxy(azurite.connectionString);
  openTable = createTableOpener({ connectionString: proxy.connectionString }, { getToken: async () => null });
});
afterAll(async () => {
  await proxy.close();
  await azurite.stop();
});

const owned = (count: number): StoreItem[] =>
  Array.from({ length: count }, (_, index) =>
    storeItem.parse({ productId: `P${index}`, transactionId: `order${index}`, productKind: 'Durable' }),
  );

const ownerOfKey = { userId: 'u', account: 'default', kind: 'collections' } as const;
const pass: Decide = () => ({ does: 'pass' });

/** A user with a key in tables of their own, who owns so much. */
async function player(count: number, keyAgeMs = 0) {
  const suffix = randomUUID().replaceAll('-', '');
  const open: OpenTable = (name) => openTable(`${name}${suffix}`);
  const table = createStoreIdsTable(open);
  const lines = createOrderLinesTable(open);
  const made = world(table);
  const { clock, callNow } = made;
  const key = keyOf(clock.now() - keyAgeMs);
  await made.store(key);
  // The first write of an instance creates the table.
  await lines.remember({ userId: 'other', account: 'default', productId: 'P', cause: { orderId: 'o' } });
  const owns = { items: owned(count) };
  const collections = { queryEntitlements: async () => owns.items } as unknown as CollectionsApi;
  const remember = createRemember(lines);
  const askWith = (keyring: Keyring) =>
    createEntitlementsQuery({ clock, sandbox: 'RETAIL', keyring, collections, remember });
  /** One query of an instance; answers with its requests to the tables. */
  const query = async ({ account = 'default', decide = pass, keyring = made.keyring } = {}): Promise<number> => {
    proxy.decideAll(decide);
    const products = [{ productId: 'any' }];
    const members = { validity: 'Valid', excludeDuplicates: true, api: 'v9' } as const;
    await askWith(keyring)(callNow(), { userId: 'u', account, products, ...members });
    const { requests } = proxy.count();
    proxy.decideAll(pass);
    return requests;
  };
  const rows = async (): Promise<number> => {
    const { connectionString } = azurite;
    const options = { allowInsecureConnection: true };
    const client = TableClient.fromConnectionString(connectionString, `OrderLines${suffix}`, options);
    let found = 0;
    for await (const { userId } of client.listEntities<{ userId: string }>()) if (userId === 'u') found += 1;
    return found;
  };
  const marks = async (): Promise<number> => marksIn((await table.one(ownerOfKey))?.seen).size;
  const storeIds = createStoreIds({ ...made, clientId: 'client', onKeysRegistered: async () => undefined });
  return { ...made, key, owns, query, rows, marks, storeIds };
}

test('a query that finds what is known makes the requests of one that finds nothing', async () => {
  const [rich, poor] = [await player(10), await player(0)];
  // The key, each row, and the marks of all.
  expect(await rich.query()).toBe(1 + 10 + 1);
  expect([await rich.rows(), await rich.marks()]).toEqual([10, 10]);
  for (const account of ['default', '*']) {
    expect([await rich.query({ account }), await poor.query({ account })]).toEqual([1, 1]);
  }
  rich.owns.items = owned(11);
  expect(await rich.query()).toBe(1 + 1 + 1);
  expect(await rich.query()).toBe(1);
  expect([await rich.rows(), await rich.marks()]).toEqual([11, 11]);
});

test.each([
  2, 3, 4,
])('request %i fails: no row is marked that is not there, and the next query writes it', async (bad) => {
  const { query, rows, marks } = await player(3);
  // The library does not repeat what is answered with 403.
  await query({ decide: (number) => (number === bad ? { does: 'answer', status: 403 } : { does: 'pass' }) });
  expect(await marks()).toBeLessThanOrEqual(2);
  expect(await marks()).toBeLessThanOrEqual(await rows());
  await query();
  expect([await rows(), await marks(), await query()]).toEqual([3, 3, 1]);
});

test('marks that are not written cost the next query its writes', async () => {
  const { query, rows, marks } = await player(3);
  await query({ decide: (number) => (number === 5 ? { does: 'answer', status: 403 } : { does: 'pass' }) });
  expect([await rows(), await marks()]).toEqual([3, 0]);
  expect([await query(), await marks(), await query()]).toEqual([1 + 3 + 1, 3, 1]);
});

test('a renewed key keeps the marks, also those that a query adds while the Store is asked', async () => {
  const { query, marks, clock, cipher, table, state, stored, keyring, callNow } = await player(2, 15 * day);
  const problem = new Problem('store_unavailable', 'not renewed');
  const renewals = { ask: expect.fail, renewStored: async () => ({ outcome: 'later', problem }) as const };
  const another = createKeyring({ clientId: 'client', clock, cipher, table, renewals });
  const renewedKey = keyOf(clock.now());
  let duringRenewal = 0;
  state.answer = async () => {
    duringRenewal = await query({ keyring: another });
    return answer(200, { key: renewedKey });
  };
  await keyring.forUser(callNow(), 'u', 'default', 'collections');
  expect([duringRenewal, (await stored())?.key, await marks()]).toEqual([1 + 2 + 1, renewedKey, 2]);
  expect(await query()).toBe(1);
});

test('a key that is renewed within the query: the marks wait for the next one, and no key is lost', async () => {
  const { query, marks, clock, state, stored } = await player(2, 15 * day);
  const renewedKey = keyOf(clock.now());
  state.answer = () => answer(200, { key: renewedKey });
  await query();
  expect([(await stored())?.key, await marks()]).toEqual([renewedKey, 0]);
  expect([await query(), await marks(), await query()]).toEqual([1 + 2 + 1, 2, 1]);
  expect((await stored())?.key).toBe(renewedKey);
});

test('a key that is encrypted anew keeps the marks, and one that is registered; a deletion takes them', async () => {
  const { query, marks, clock, key, put, stored, storeIds, callNow } = await player(2);
  await query();
  clock.advance(11 * minute);
  put('k', Buffer.alloc(32, 1).toString('base64'));
  await query();
  expect(await stored()).toMatchObject({ key, row: { secretVersion: 'v2' } });
  expect([await marks(), await query()]).toEqual([2, 1]);
  const registered = keyOf(clock.now());
  await storeIds.register(callNow(), 'u', { account: 'default', collectionsId: registered });
  expect([(await stored())?.key, await marks(), await query()]).toEqual([registered, 2, 1]);
  await storeIds.remove('u');
  await storeIds.register(callNow(), 'u', { account: 'default', collectionsId: registered });
  expect([await marks(), await query()]).toEqual([0, 1 + 2 + 1]);
});

test('a column that holds something else counts as empty', async () => {
  const { query, marks, stored, table } = await player(2);
  await query();
  const { row = expect.fail('no row') } = (await stored()) ?? {};
  for (const seen of ['text', new Uint8Array(9)]) {
    const { etag } = (await table.one(ownerOfKey)) ?? row;
    await table.put([{ ...row, seen: seen as Uint8Array, etag }]);
    expect([await query(), await marks(), await query()]).toEqual([1 + 2 + 1, 2, 1]);
  }
});
