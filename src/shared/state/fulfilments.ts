import type { TransactionAction } from '@azure/data-tables';
import * as z from 'zod';
import type { ProblemCode, StoreErrorInfo } from '../contract/problems.ts';
import { joinText, splitText } from './longText.ts';
import { shardOf, userHash } from './rowKeys.ts';
import type { OpenTable, Row } from './tables.ts';

/** Why the Store refused for good. */
export interface Rejection {
  code: Extract<ProblemCode, 'insufficient_quantity' | 'store_rejected'>;
  store: StoreErrorInfo;
}

/**
 * One consume or grant. Times are epoch ms.
 *
 * `pending`: stored, its outcome not known. `completed`, `rejected`: settled for good. `void`: nothing was sent and no caller was
 * answered "pending"; it counts as not there.
 */
export interface FulfilmentRecord<Request, Result> {
  userId: string;
  /** The caller's tracking or order id, in lower case. */
  id: string;
  request: Request;
  state: 'pending' | 'completed' | 'rejected' | 'void';
  /** A random id of the request that created it, which recognises its own write by it. */
  creator: string;
  createdAt: number;
  lastAttemptAt: number;
  /** Attempts of the recovery timer: its pauses grow with them. */
  recoveryAttempts: number;
  /** A caller was answered "pending": the outcome needs an event. */
  pendingReported: boolean;
  /** The latest attempt; until the lease expires, no other attempt may start. */
  leaseId: string;
  leaseExpiresAt: number;
  /** When the recovery timer processes it; null = never. */
  dueAt: number | null;
  /** Settled, but its event is not known to be in the outbox. */
  eventPending: boolean;
  settledAt: number | null;
  result: Result | null;
  rejection: Rejection | null;
}

export type StoredFulfilment<Request, Result> = FulfilmentRecord<Request, Result> & { etag: string };

/** What is due: an event to publish (no Store call), or an attempt. */
export type DueKind = 'event' | 'attempt';

/** An entry of the recovery timer's lists; `key` sorts the entries of a list, the longest due first. */
export interface DueEntry {
  key: string;
  kind: DueKind;
  userId: string;
  id: string;
  dueAt: number;
}

export interface FulfilmentsTable<Request, Result> {
  get(userId: string, id: string): Promise<StoredFulfilment<Request, Result> | undefined>;
  /** Writes a record and its due entry in one transaction: a new one, or the successor of the one that was read. */
  write(
    after: FulfilmentRecord<Request, Result>,
    before?: StoredFulfilment<Request, Result>,
  ): Promise<StoredFulfilment<Request, Result> | 'conflict'>;
  /** At most `limit` entries of one list that are due by a time (epoch ms), the longest due first, after a key if one is given. */
  due(kind: DueKind, shard: number, by: number, limit: number, afterKey?: string): Promise<DueEntry[]>;
  /** The entries of one user. */
  dueForUser(userId: string): Promise<DueEntry[]>;
  /** Removes an entry whose record is not there or is due at another time. */
  removeDueEntry(entry: DueEntry): Promise<void>;
}

export const fulfilmentShards = 32;
/** Digits of a time in row keys, so that they sort. */
const timeDigits = 15;

/** Epoch ms as text: a number of that size has no type of its own in a table. */
const time = z.iso.datetime().transform((text) => Date.parse(text));
const iso = (ms: number) => new Date(ms).toISOString();

const recordSchema = z.looseObject({
  userId: z.string(),
  id: z.string(),
  etag: z.string(),
  state: z.enum(['pending', 'completed', 'rejected', 'void']),
  creator: z.string(),
  leaseId: z.string(),
  leaseExpiresAt: time,
  createdAt: time,
  lastAttemptAt: time,
  recoveryAttempts: z.number(),
  pendingReported: z.boolean(),
  eventPending: z.boolean(),
  dueAt: time.optional(),
  settledAt: time.optional(),
});
const entrySchema = z.looseObject({
  userId: z.string(),
  id: z.string(),
  kind: z.enum(['event', 'attempt']),
  dueAt: time,
});

/**
 * Table `Consumes` or `Grants`. Record and due entry share a partition, one of 32 by user, so that one transaction writes both: a record
 * is never without its entry, and no list has an entry of a record that is settled and published.
 */
export function createFulfilmentsTable<Request, Result>(
  openTable: OpenTable,
  name: string,
): FulfilmentsTable<Request, Result> {
  const table = openTable(name);
  return {
    async get(userId, id) {
      const row = await table.get(partitionOf(userId), recordKey(userId, id));
      return row && fromRow<Request, Result>(row);
    },
    async write(after, before) {
      const actions: TransactionAction[] = [
        before ? ['update', toRow(after), 'Replace', { etag: before.etag }] : ['create', toRow(after)],
        ...dueEntryActions(before && dueEntry(before), dueEntry(after)),
      ];
      const written = await table.transaction(actions);
      return written === 'conflict' ? written : { ...after, etag: written.etag };
    },
    async due(kind, shard, by, limit, afterKey = `due.${kind}.`) {
      const end = `due.${kind}.${String(by + 1).padStart(timeDigits, '0')}`;
      const filter = `PartitionKey eq '${shardName(shard)}' and RowKey gt '${afterKey}' and RowKey lt '${end}'`;
      return (await table.list(filter, limit)).map(entryFromRow);
    },
    async dueForUser(userId) {
      const range = `RowKey ge 'due.' and RowKey lt 'due/' and userHash eq '${userHash(userId)}'`;
      return (await table.list(`PartitionKey eq '${partitionOf(userId)}' and ${range}`)).map(entryFromRow);
    },
    async removeDueEntry({ userId, key }) {
      await table.remove(partitionOf(userId), key);
    },
  };
}

/** Whether an entry is the current one of this record. */
export function isDueEntryOf(entry: DueEntry, record: FulfilmentRecord<unknown, unknown>): boolean {
  return dueEntry(record)?.rowKey === entry.key;
}

function partitionOf(userId: string): string {
  return shardName(shardOf(userHash(userId), fulfilmentShards));
}

function shardName(shard: number): string {
  return String(shard).padStart(2, '0');
}

function recordKey(userId: string, id: string): string {
  return `record.${userHash(userId)}.${id}`;
}

/** The row of a record's due entry, if it is due at all. */
function dueEntry({ userId, id, dueAt, eventPending }: FulfilmentRecord<unknown, unknown>) {
  if (dueAt === null) return undefined;
  const kind: DueKind = eventPending ? 'event' : 'attempt';
  const hash = userHash(userId);
  return {
    partitionKey: partitionOf(userId),
    rowKey: `due.${kind}.${String(dueAt).padStart(timeDigits, '0')}.${hash}.${id}`,
    userHash: hash,
    userId,
    id,
    kind,
    dueAt: iso(dueAt),
  };
}

type DueEntryRow = ReturnType<typeof dueEntry>;

function dueEntryActions(before: DueEntryRow, after: DueEntryRow): TransactionAction[] {
  if (before?.rowKey === after?.rowKey) return [];
  const actions: TransactionAction[] = [];
  if (before) actions.push(['delete', { partitionKey: before.partitionKey, rowKey: before.rowKey }]);
  if (after) actions.push(['create', after]);
  return actions;
}

function entryFromRow(row: Row): DueEntry {
  const { userId, id, kind, dueAt } = entrySchema.parse(row);
  return { key: row.rowKey, kind, userId, id, dueAt };
}

function toRow<Request, Result>(record: FulfilmentRecord<Request, Result>) {
  const { userId, id, request, result, rejection, dueAt, settledAt } = record;
  return {
    partitionKey: partitionOf(userId),
    rowKey: recordKey(userId, id),
    userId,
    id,
    state: record.state,
    creator: record.creator,
    createdAt: iso(record.createdAt),
    lastAttemptAt: iso(record.lastAttemptAt),
    recoveryAttempts: record.recoveryAttempts,
    pendingReported: record.pendingReported,
    leaseId: record.leaseId,
    leaseExpiresAt: iso(record.leaseExpiresAt),
    eventPending: record.eventPending,
    ...(dueAt !== null && { dueAt: iso(dueAt) }),
    ...(settledAt !== null && { settledAt: iso(settledAt) }),
    ...splitText('content', JSON.stringify({ request, result, rejection })),
  };
}

function fromRow<Request, Result>(row: Row): StoredFulfilment<Request, Result> {
  const columns = recordSchema.parse(row);
  const { request, result, rejection } = JSON.parse(joinText('content', row));
  return {
    userId: columns.userId,
    id: columns.id,
    etag: columns.etag,
    state: columns.state,
    creator: columns.creator,
    createdAt: columns.createdAt,
    lastAttemptAt: columns.lastAttemptAt,
    recoveryAttempts: columns.recoveryAttempts,
    pendingReported: columns.pendingReported,
    leaseId: columns.leaseId,
    leaseExpiresAt: columns.leaseExpiresAt,
    dueAt: columns.dueAt ?? null,
    eventPending: columns.eventPending,
    settledAt: columns.settledAt ?? null,
    request,
    result,
    rejection,
  };
}
