import { TableClient } from '@azure/data-tables';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningAzurite, startAzurite } from '../../local/azurite.ts';
import { createRecord, transition } from '../../src/shared/fulfilment/machine.ts';
import { createEventsTable } from '../../src/shared/state/events.ts';
import { createFulfilmentsTable, fulfilmentShards } from '../../src/shared/state/fulfilments.ts';
import { createOrderLinesTable } from '../../src/shared/state/orderLines.ts';
import { createStoreIdsTable } from '../../src/shared/state/storeIds.ts';
import { createTableOpener, type OpenTable } from '../../src/shared/state/tables.ts';
import { eventsOfWriter } from '../support/thorough.ts';

let azurite: RunningAzurite;
let openTable: OpenTable;
beforeAll(async () => {
  azurite = await startAzurite();
  const noCredential = { getToken: () => Promise.reject(new Error('not used')) };
  openTable = createTableOpener({ connectionString: azurite.connectionString }, noCredential);
});
afterAll(() => azurite.stop());

const now = Date.parse('2026-11-22T06:35:00.000Z');
const newRecord = (id: string, userId = 'u') =>
  createRecord<string, { text: string }>(
    userId,
    id,
    'request',
    { creator: `creator of ${id}`, requestIdentity: false },
    now,
  );
const fulfilments = () => createFulfilmentsTable<string, { text: string }>(openTable, 'Consumes');

async function written(id: string, userId?: string) {
  const stored = await fulfilments().write(newRecord(id, userId));
  return stored === 'conflict' ? expect.fail('a conflict') : stored;
}

test.each([
  'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Zm9v',
  'TableEndpoint=https://x/;SharedAccessSignature=sv=1',
])('a connection string that the client refuses is named before anything is sent: %s', (connectionString) => {
  expect(() => createTableOpener({ connectionString }, { getToken: async () => null })).toThrow(
    /unreadable: TABLES_CONNECTION_STRING \([^;=]*\)$/,
  );
});

test('a deleted table is unavailable, not empty; the next request creates it again', async () => {
  const table = openTable('Gone');
  const client = TableClient.fromConnectionString(azurite.connectionString, 'Gone', { allowInsecureConnection: true });
  await table.upsert({ partitionKey: 'p', rowKey: 'r' });
  for (const ask of [
    () => table.get('p', 'r'),
    () => table.remove('p', 'r'),
    () => table.transaction([['delete', { partitionKey: 'p', rowKey: 'r' }]]),
  ]) {
    await client.deleteTable();
    await expect(ask()).rejects.toMatchObject({ code: 'unavailable' });
    expect(await table.get('p', 'r')).toBeUndefined();
  }
});

test('a record is created once, and changed only from where it was read', async () => {
  const table = fulfilments();
  const stored = await written('a');
  expect(stored.etag).toMatch(/\S/);
  expect(await table.write(newRecord('a'))).toBe('conflict');
  const completed = transition(stored, {
    type: 'complete',
    now: now + 1,
    known: null,
    byCreator: true,
    result: { text: 'done' },
  });
  if (!completed) expect.fail('no transition');
  expect(await table.write(completed, stored)).toMatchObject({ state: 'completed' });
  expect(await table.write(completed, stored)).toBe('conflict');
  expect(await table.get('u', 'a')).toMatchObject({ ...completed, etag: expect.any(String) });
});

test('the list has what is due, the longest due first, and nothing that is settled', async () => {
  const table = fulfilments();
  const user = 'list';
  const [first, second, settled] = [await written('1', user), await written('2', user), await written('3', user)];
  const later = transition(first, {
    type: 'attempt',
    now: now + 120_000,
    leaseId: 'l',
    by: 'recovery',
    byRequestIdentity: false,
  });
  const done = transition(settled, { type: 'complete', now, known: null, byCreator: true, result: { text: '' } });
  if (!later || !done) expect.fail('no transition');
  await table.write(later, first);
  await table.write(done, settled);
  const dueBy = async (by: number) =>
    (await Promise.all(Array.from({ length: fulfilmentShards }, (_, shard) => table.due('attempt', shard, by, 100))))
      .flat()
      .filter(({ userId }) => userId === user)
      .map(({ id }) => id);
  expect(await dueBy(now + 59_999)).toEqual([]);
  expect(await dueBy(now + 60_000)).toEqual([second.id]);
  expect(await dueBy(now + 3_600_000)).toEqual([second.id, first.id]);
  expect(await table.pendingOfUser(user)).toEqual([
    { userId: user, id: '1' },
    { userId: user, id: '2' },
  ]);
  expect(await table.pendingOfUser('lis')).toEqual([]);
});

test('the pending records of a user are found without reading those of others', async () => {
  const client = TableClient.fromConnectionString(azurite.connectionString, 'Consumes', {
    allowInsecureConnection: true,
  });
  await written('p1', 'owner');
  const rows = async (filter: string) => {
    let found = 0;
    for await (const _ of client.listEntities({ queryOptions: { filter } })) found += 1;
    return found;
  };
  // The filter names a range of row keys of this user alone: a filter by a column would read the whole partition.
  const filters: string[] = [];
  const spied = createFulfilmentsTable<string, { text: string }>((name) => {
    const table = openTable(name);
    return {
      ...table,
      list: (filter, limit) => {
        filters.push(filter);
        return table.list(filter, limit);
      },
    };
  }, 'Consumes');
  expect(await spied.pendingOfUser('owner')).toEqual([{ userId: 'owner', id: 'p1' }]);
  expect(filters.map((filter) => filter.replace(/\b\w+ (eq|gt|lt) '[^']*'/g, 'key'))).toEqual(['key and key and key']);
  expect(await rows(filters[0] ?? '')).toBe(1);
});

test.each([450_000, 480_001, 3_000_000])('a result of %i characters comes back whole', async (length) => {
  const stored = await written(`long ${length}`);
  const result = { text: 'x'.repeat(length) };
  const done = transition(stored, { type: 'complete', now, known: null, byCreator: true, result });
  if (!done) expect.fail('no transition');
  await fulfilments().write(done, stored);
  const found = await fulfilments().get('u', `long ${length}`);
  expect(found?.result?.text === result.text).toBe(true);
});

const common = (trackingId: string) => ({
  trackingId,
  userId: 'u',
  account: 'default',
  productId: 'P',
  managedBy: 'store' as const,
  quantity: 1,
});

const completedEventOf = (cause: string[], at: number, trackingId: string) => ({
  type: 'consume.completed' as const,
  cause,
  at,
  subject: 'u',
  data: {
    ...common(trackingId),
    state: 'completed' as const,
    newQuantity: 0,
    orders: [],
    replayed: false,
    completedAt: '2026-11-22T06:35:00.000Z',
  },
});

test('an event is made once for its cause, even after it was acknowledged', async () => {
  const table = createEventsTable(openTable);
  const completedEvent = completedEventOf(['u', 'a'], now, 'first');
  await table.put(completedEvent);
  await table.put(completedEventOf(['u', 'a'], now + 5, 'second'));
  await table.put({
    type: 'consume.rejected',
    cause: ['u', 'a'],
    at: now - 1,
    subject: 'u',
    data: { ...common('first'), state: 'rejected', code: 'store_rejected', rejectedAt: '2026-11-22T06:35:00.000Z' },
  });
  const [rejected, completed, ...more] = await table.oldest(10);
  expect(more).toEqual([]);
  expect([rejected?.type, completed?.type, completed?.data]).toEqual([
    'consume.rejected',
    'consume.completed',
    completedEvent.data,
  ]);
  expect(completed?.time).toBe('2026-11-22T06:35:00.000Z');
  const ids = [completed?.id ?? '', rejected?.id ?? '', 'no such'];
  expect(await table.acknowledge([...ids.slice(0, 1), ...ids.slice(0, 1)])).toBe(1);
  expect(await table.acknowledge(ids)).toBe(1);
  expect(await table.acknowledge(ids)).toBe(0);
  await table.put(completedEvent);
  expect(await table.oldest(10)).toEqual([]);
});

test(`8 writers of ${eventsOfWriter} events each: each reaches a reader that acknowledges what it reads, none comes twice`, async () => {
  const feed = createEventsTable(
    createTableOpener({ connectionString: azurite.connectionString }, { getToken: async () => null }),
  );
  expect(await feed.oldest(1)).toEqual([]);
  let writing = 8;
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    const table = createEventsTable(openTable);
    for (let n = 0; n < eventsOfWriter; n += 1) {
      const at = Date.now() - ((n * 7919) % 1000);
      await table.put(completedEventOf([String(writer), String(n)], at, `${writer}/${n}`));
    }
    writing -= 1;
  });
  const seen = new Map<unknown, number>();
  const reader = async () => {
    for (;;) {
      const last = writing === 0;
      const events = await feed.oldest(500);
      if (events.length === 0 && last) return;
      for (const { data } of events) {
        const { trackingId } = data as { trackingId: string };
        seen.set(trackingId, (seen.get(trackingId) ?? 0) + 1);
      }
      if (events.length > 0) expect(await feed.acknowledge(events.map(({ id }) => id))).toBe(events.length);
    }
  };
  await Promise.all([...writers, reader()]);
  expect(seen.size).toBe(8 * eventsOfWriter);
  expect([...seen.values()].every((times) => times === 1)).toBe(true);
});

test('claims of an order line: each consume once, and no claims of other lines', async () => {
  const table = createOrderLinesTable(openTable);
  const claim = {
    userId: 'u',
    account: 'default',
    trackingId: 't1',
    productId: 'P',
    orderId: 'O/1',
    lineItemId: 'L',
    quantity: 2,
  };
  await table.claim(claim);
  await table.claim(claim);
  await table.claim({ ...claim, trackingId: 't2', quantity: 1 });
  await table.claim({ ...claim, lineItemId: 'L2' });
  await table.claim({ ...claim, productId: 'P2' });
  expect((await table.claims('O/1', 'L', 'P')).map(({ trackingId, quantity }) => [trackingId, quantity])).toEqual([
    ['t1', 2],
    ['t2', 1],
  ]);
});

test('keys of a user: written both or none, and deleted whole', async () => {
  const table = createStoreIdsTable(openTable);
  const row = (kind: 'collections' | 'purchase', account = 'default') => ({
    userId: 'K',
    account,
    kind,
    ciphertext: new Uint8Array([1, 2, 3]),
    secretVersion: 'v1',
    issuedAt: now,
    expiresAt: now + 1,
    unrenewable: false,
  });
  expect(await table.put([row('collections')])).not.toBe('conflict');
  expect(await table.put([row('purchase'), row('collections')])).toBe('conflict');
  expect(await table.ofUser('K')).toHaveLength(1);
  const stored = await table.one(row('collections'));
  expect(stored).toMatchObject({ ...row('collections'), ciphertext: expect.anything() });
  expect(Buffer.from(stored?.ciphertext ?? []).toString('hex')).toBe('010203');
  await table.put([row('purchase')]);
  await table.put([row('purchase', 'other')]);
  await table.deleteUser('K');
  expect(await table.ofUser('K')).toEqual([]);
  expect(await table.ofUser('k')).toEqual([]);
});

test('a key is replaced only from where it was read; what is known of its renewals stays', async () => {
  const table = createStoreIdsTable(openTable);
  const row = {
    userId: 'E',
    account: 'default',
    kind: 'collections' as const,
    ciphertext: new Uint8Array([1]),
    secretVersion: 'v1',
    issuedAt: now,
    expiresAt: now + 1,
    unrenewable: false,
  };
  await table.put([row]);
  const read = (await table.one(row)) ?? expect.fail('no row');
  expect([read.refusedAt, read.publisherUserId]).toEqual([undefined, undefined]);
  expect(await table.put([{ ...read, refusedAt: now + 5, publisherUserId: 'P' }])).not.toBe('conflict');
  // The row has changed since it was read.
  expect(await table.put([{ ...read, secretVersion: 'v2' }])).toBe('conflict');
  const kept = (await table.one(row)) ?? expect.fail('no row');
  expect(kept).toMatchObject({ secretVersion: 'v1', refusedAt: now + 5, publisherUserId: 'P' });
  await table.put([{ ...kept, refusedAt: undefined }]);
  expect((await table.one(row))?.refusedAt).toBeUndefined();
});

test('the due entry says whether the record waits for its player, also if it is due at the same time as before', async () => {
  const table = fulfilments();
  const stored = await written('waits', 'waiting user');
  const entryOf = async () =>
    (
      await Promise.all(
        Array.from({ length: fulfilmentShards }, (_, shard) => table.due('attempt', shard, now * 2, 1000)),
      )
    )
      .flat()
      .find(({ userId }) => userId === 'waiting user');
  expect(await entryOf()).toMatchObject({ waits: false });
  const waiting = await table.write({ ...stored, reason: 'x_token_required' }, stored);
  if (waiting === 'conflict') expect.fail('a conflict');
  expect(await entryOf()).toMatchObject({ waits: true });
  await table.write({ ...waiting, reason: null }, waiting);
  expect(await entryOf()).toMatchObject({ waits: false });
});
