import type { TransactionAction } from '@azure/data-tables';
import type { DueEntry, DueKind, FulfilmentRecord, StoredFulfilment } from './fulfilmentRecord.ts';
import {
  columnsOf,
  contentOf,
  dueEntryRow,
  dueRange,
  entryFromRow,
  partitionOf,
  recordFromRow,
  recordKey,
  shardName,
  unsettledFromRow,
  unsettledRange,
  unsettledRow,
} from './fulfilmentRows.ts';
import { createLongTexts } from './longText.ts';
import type { OpenTable } from './tables.ts';

export type { DueEntry, DueKind, FulfilmentRecord, Rejection, StoredFulfilment } from './fulfilmentRecord.ts';
export { fulfilmentShards } from './fulfilmentRows.ts';

export interface FulfilmentsTable<Request, Result> {
  get(userId: string, id: string): Promise<StoredFulfilment<Request, Result> | undefined>;
  /** Writes a record and its entries in one transaction: a new one, or the successor of the one that was read. */
  write(
    after: FulfilmentRecord<Request, Result>,
    before?: StoredFulfilment<Request, Result>,
  ): Promise<StoredFulfilment<Request, Result> | 'conflict'>;
  /** At most `limit` entries of one list that are due by a time (epoch ms), the longest due first, after a key if one is given. */
  due(kind: DueKind, shard: number, by: number, limit: number, afterKey?: string): Promise<DueEntry[]>;
  /** The records of one user that are pending. */
  pendingOfUser(userId: string): Promise<{ userId: string; id: string }[]>;
  /** Removes an entry whose record is not there or is due at another time. */
  removeDueEntry(entry: DueEntry): Promise<void>;
}

/**
 * Table `Consumes` or `Grants`. A record, its due entry and the row that finds it by its user share a partition, one of 32 by user, so
 * that one transaction writes them: a pending record is always found, and no list has an entry of a record that is settled and published.
 */
export function createFulfilmentsTable<Request, Result>(
  openTable: OpenTable,
  name: string,
): FulfilmentsTable<Request, Result> {
  const table = openTable(name);
  const texts = createLongTexts(table);
  return {
    async get(userId, id) {
      const row = await table.get(partitionOf(userId), recordKey(userId, id));
      return row && recordFromRow<Request, Result>(row, await texts.read(row, 'content'));
    },
    async write(after, before) {
      const columns = columnsOf(after);
      const row = { ...columns, ...(await texts.write(columns, 'content', contentOf(after))) };
      const written = await table.transaction([
        before ? ['update', row, 'Replace', { etag: before.etag }] : ['create', row],
        ...replaceRow(before && dueEntryRow(before), dueEntryRow(after)),
        ...replaceRow(before && unsettledRow(before), unsettledRow(after)),
      ]);
      return written === 'conflict' ? written : { ...after, etag: written.etag };
    },
    async due(kind, shard, by, limit, afterKey) {
      const filter = `PartitionKey eq '${shardName(shard)}' and ${dueRange(kind, by, afterKey)}`;
      return (await table.list(filter, limit)).map(entryFromRow);
    },
    async pendingOfUser(userId) {
      const filter = `PartitionKey eq '${partitionOf(userId)}' and ${unsettledRange(userId)}`;
      return (await table.list(filter)).map(unsettledFromRow);
    },
    async removeDueEntry({ userId, key }) {
      await table.remove(partitionOf(userId), key);
    },
  };
}

/** Whether an entry is the current one of this record. */
export function isDueEntryOf(entry: DueEntry, record: FulfilmentRecord<unknown, unknown>): boolean {
  return dueEntryRow(record)?.rowKey === entry.key;
}

type EntryRow = { partitionKey: string; rowKey: string; waits?: boolean } | undefined;

function replaceRow(before: EntryRow, after: EntryRow): TransactionAction[] {
  if (before?.rowKey === after?.rowKey)
    return after && before?.waits !== after.waits ? [['upsert', after, 'Replace']] : [];
  const actions: TransactionAction[] = [];
  if (before) actions.push(['delete', { partitionKey: before.partitionKey, rowKey: before.rowKey }]);
  if (after) actions.push(['create', after]);
  return actions;
}
