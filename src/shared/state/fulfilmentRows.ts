/** How consumes and grants stand in the rows of their table. */
import * as z from 'zod';
import { waitsForPlayer } from '../contract/pendingReason.ts';
import type { DueEntry, DueKind, FulfilmentRecord, StoredFulfilment } from './fulfilmentRecord.ts';
import { shardOf, userHash } from './rowKeys.ts';
import type { Row } from './tables.ts';

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
  byRequestIdentity: z.boolean(),
  leaseId: z.string(),
  leaseExpiresAt: time,
  createdAt: time,
  lastAttemptAt: time,
  attempts: z.number(),
  recoveryAttempts: z.number(),
  pendingReported: z.boolean(),
  wakes: z.number(),
  reason: z.string().optional(),
  eventPending: z.boolean(),
  dueAt: time.optional(),
  settledAt: time.optional(),
});
const entrySchema = z.looseObject({
  userId: z.string(),
  id: z.string(),
  kind: z.enum(['event', 'attempt']),
  dueAt: time,
  since: time,
  waits: z.boolean(),
});
const unsettledSchema = z.looseObject({ userId: z.string(), id: z.string() });

export function partitionOf(userId: string): string {
  return shardName(shardOf(userHash(userId), fulfilmentShards));
}

export function shardName(shard: number): string {
  return String(shard).padStart(2, '0');
}

export function recordKey(userId: string, id: string): string {
  return `record.${userHash(userId)}.${id}`;
}

/** The keys of one list that are due by a time, after a key if one is given. OData. */
export function dueRange(kind: DueKind, by: number, afterKey = `due.${kind}.`): string {
  const end = Number.isFinite(by) ? `due.${kind}.${String(by + 1).padStart(timeDigits, '0')}` : `due.${kind}/`;
  return `RowKey gt '${afterKey}' and RowKey lt '${end}'`;
}

/** The rows of one user's records that are not settled. OData. */
export function unsettledRange(userId: string): string {
  const prefix = `unsettled.${userHash(userId)}`;
  return `RowKey gt '${prefix}.' and RowKey lt '${prefix}/'`;
}

/** The row of a record's due entry, if it is due at all. */
export function dueEntryRow(record: FulfilmentRecord<unknown, unknown>) {
  const { userId, id, dueAt, eventPending, createdAt, reason } = record;
  if (dueAt === null) return undefined;
  const kind: DueKind = eventPending ? 'event' : 'attempt';
  return {
    partitionKey: partitionOf(userId),
    rowKey: `due.${kind}.${String(dueAt).padStart(timeDigits, '0')}.${userHash(userId)}.${id}`,
    userId,
    id,
    kind,
    dueAt: iso(dueAt),
    since: iso(createdAt),
    waits: waitsForPlayer(reason),
  };
}

/** The row by which a user's record is found while it is pending. */
export function unsettledRow({ userId, id, state }: FulfilmentRecord<unknown, unknown>) {
  if (state !== 'pending') return undefined;
  return { partitionKey: partitionOf(userId), rowKey: `unsettled.${userHash(userId)}.${id}`, userId, id };
}

export function entryFromRow(row: Row): DueEntry {
  const { userId, id, kind, dueAt, since, waits } = entrySchema.parse(row);
  return { key: row.rowKey, kind, userId, id, dueAt, since, waits };
}

export function unsettledFromRow(row: Row): { userId: string; id: string } {
  const { userId, id } = unsettledSchema.parse(row);
  return { userId, id };
}

/** The columns of a record, but for its content. */
export function columnsOf(record: FulfilmentRecord<unknown, unknown>) {
  const { userId, id, reason, dueAt, settledAt } = record;
  return {
    partitionKey: partitionOf(userId),
    rowKey: recordKey(userId, id),
    userId,
    id,
    state: record.state,
    creator: record.creator,
    byRequestIdentity: record.byRequestIdentity,
    createdAt: iso(record.createdAt),
    lastAttemptAt: iso(record.lastAttemptAt),
    attempts: record.attempts,
    recoveryAttempts: record.recoveryAttempts,
    pendingReported: record.pendingReported,
    wakes: record.wakes,
    ...(reason !== null && { reason }),
    leaseId: record.leaseId,
    leaseExpiresAt: iso(record.leaseExpiresAt),
    eventPending: record.eventPending,
    ...(dueAt !== null && { dueAt: iso(dueAt) }),
    ...(settledAt !== null && { settledAt: iso(settledAt) }),
  };
}

/** What the columns do not hold, as one text. */
export function contentOf({ request, result, rejection }: FulfilmentRecord<unknown, unknown>): string {
  return JSON.stringify({ request, result, rejection });
}

export function recordFromRow<Request, Result>(row: Row, content: string): StoredFulfilment<Request, Result> {
  const columns = recordSchema.parse(row);
  const { request, result, rejection } = JSON.parse(content);
  return {
    userId: columns.userId,
    id: columns.id,
    etag: columns.etag,
    state: columns.state,
    creator: columns.creator,
    byRequestIdentity: columns.byRequestIdentity,
    createdAt: columns.createdAt,
    lastAttemptAt: columns.lastAttemptAt,
    attempts: columns.attempts,
    recoveryAttempts: columns.recoveryAttempts,
    pendingReported: columns.pendingReported,
    wakes: columns.wakes,
    reason: (columns.reason ?? null) as StoredFulfilment<Request, Result>['reason'],
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
